#include <array>
#include <string_view>

#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 3> examples = {
    "pedigree fingerprint ./my-model",
    "pedigree fingerprint ./a ./b ./c --to prints/",
    "find models -maxdepth 1 -mindepth 1 | pedigree fingerprint --batch - --to prints/",
};

constexpr std::array options = {
    OptionSpec{.name = "to",
               .value_name = "FILE|DIR",
               .help = "where to write [the working directory, NAME.pedigree]"},
    OptionSpec{.name = "digests", .help = "also read every byte and keep the digests"},
    OptionSpec{.name = "deep", .help = "also keep what finds rotated and re-dealt copies"},
    OptionSpec{.name = "salt", .value_name = "FILE", .help = "draw the sample from a secret"},
    OptionSpec{.name = "batch",
               .value_name = "FILE",
               .help = "read model paths from a file, one a line; - is standard input"},
    OptionSpec{.name = "public", .later = true},
};

void add_lines(std::vector<std::string>& models, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) models.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

int run(const Arguments& arguments, Session& session) {
  FingerprintRequest request;
  request.models = arguments.operands();
  if (arguments.has("batch")) {
    const auto text = read_text_input(arguments.value("batch"));
    if (!text) return session.fail("fingerprint", text.error());
    add_lines(request.models, *text);
  }
  if (request.models.empty()) return session.usage("fingerprint takes at least one MODEL");
  request.to = arguments.value("to");
  request.digests = arguments.has("digests");
  request.deep = arguments.has("deep");
  request.salt_file = arguments.value("salt");
  request.run = session.run_options();
  return session.finish(fingerprint_models(request));
}

}  // namespace

const Command fingerprint_command{.name = "fingerprint",
                                  .summary = "write portable fingerprints",
                                  .usage = "MODEL… [--to FILE|DIR]",
                                  .examples = examples,
                                  .options = options,
                                  .run = run};

}  // namespace pedigree
