#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 4> examples = {
    "pedigree compare ./suspect ./base",
    "pedigree compare ./suspect ./parent-a ./parent-b --details",
    "pedigree compare suspect.pedigree base.pedigree --quick --expect independent",
    "pedigree compare --pairs pairs.tsv -o json",
};

constexpr std::array options = {
    OptionSpec{.name = "pairs",
               .value_name = "FILE",
               .help = "compare each line SUSPECT<TAB>BASE[<TAB>BASE…]; one compact report a line"},
    OptionSpec{.name = "details", .help = "add a row for each tensor"},
    OptionSpec{.name = "quick", .help = "sampled tests only; never a clean bill"},
    OptionSpec{.name = "salt",
               .value_name = "FILE",
               .help = "draw the samples from a secret, as the fingerprints given were"},
    OptionSpec{.name = "expect",
               .value_name = "WHAT",
               .help = "exit 1 unless the verdict is derived, independent or identical"},
};

int run_pairs(const Arguments& arguments, Session& session) {
  auto lines = read_text_input(arguments.value("pairs"));
  if (!lines) {
    session.stream(failed_report("compare", lines.error()));
    return session.finish_stream();
  }
  const PairsRequest request{.lines = std::move(*lines),
                             .quick = arguments.has("quick"),
                             .details = arguments.has("details"),
                             .expect = arguments.value("expect"),
                             .salt_file = arguments.value("salt"),
                             .run = session.run_options()};
  compare_pairs(request, [&](Report report) { session.stream(std::move(report)); });
  return session.finish_stream();
}

int run(const Arguments& arguments, Session& session) {
  constexpr std::array<std::string_view, 3> wanted = {"derived", "independent", "identical"};
  const std::string expect = arguments.value("expect");
  if (arguments.has("expect") && std::ranges::find(wanted, expect) == wanted.end()) {
    return session.usage(fmt::format("--expect takes derived, independent or identical, not '{}'{}",
                                     shown(expect), suggestion(expect, wanted)));
  }
  if (arguments.has("fail-on")) {
    return session.usage(
        "--fail-on is about findings, and compare makes none: use --expect or --strict");
  }
  const auto& models = arguments.operands();
  if (arguments.has("pairs") && !models.empty()) {
    return session.usage("--pairs takes the models from its file");
  }
  if (arguments.has("pairs")) return run_pairs(arguments, session);
  if (models.size() < 2) return session.usage("compare takes a SUSPECT and at least one BASE");
  CompareRequest request;
  request.subject = models.front();
  request.bases.assign(models.begin() + 1, models.end());
  request.details = arguments.has("details");
  request.quick = arguments.has("quick");
  request.expect = expect;
  request.salt_file = arguments.value("salt");
  request.run = session.run_options();
  return session.finish(compare_models(request));
}

}  // namespace

const Command compare_command{.name = "compare",
                              .summary = "say whether one model descends from another, and how",
                              .usage = "SUSPECT BASE… | --pairs FILE",
                              .examples = examples,
                              .options = options,
                              .run = run};

}  // namespace pedigree
