#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 3> examples = {
    "pedigree digest ./my-model",
    "pedigree digest ./my-model --verify SHA256SUMS",
    "pedigree digest ./my-model --tiers h0,h1,h2,h3 -o json",
};

constexpr std::array options = {
    OptionSpec{.name = "tiers",
               .value_name = "LIST",
               .help = "h0 files, h1 stored tensors, h2 canonical, h3 rounded [h0,h1]"},
    OptionSpec{.name = "verify",
               .value_name = "FILE",
               .help = "hold files against sha256sum lines or git-lfs pointers; may be repeated",
               .repeatable = true},
};

int run(const Arguments& arguments, Session& session) {
  constexpr std::array<std::string_view, 4> known = {"h0", "h1", "h2", "h3"};
  if (arguments.operands().size() != 1) return session.usage("digest takes one MODEL");
  DigestRequest request;
  request.model = arguments.operands().front();
  request.verify = arguments.values("verify");
  request.run = session.run_options();
  if (arguments.has("tiers")) {
    request.tiers.clear();
    const std::string list = arguments.value("tiers");
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t comma = std::min(list.find(',', begin), list.size());
      request.tiers.push_back(list.substr(begin, comma - begin));
      begin = comma + 1;
    }
    for (const std::string& tier : request.tiers) {
      if (std::ranges::find(known, tier) != known.end()) continue;
      return session.usage(fmt::format("'{}' is no tier: h0, h1, h2 or h3", shown(tier)));
    }
  }
  return session.finish(digest_model_files(request));
}

}  // namespace

const Command digest_command{.name = "digest",
                             .summary = "digest files, tensors and the model, or verify them",
                             .usage = "MODEL [--verify FILE]",
                             .examples = examples,
                             .options = options,
                             .run = run};

}  // namespace pedigree
