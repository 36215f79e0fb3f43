#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text.h"
#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 2> examples = {
    "pedigree explain index-missing-shard",
    "pedigree explain --all -o json",
};

constexpr std::array options = {
    OptionSpec{.name = "all", .help = "every problem, finding, relation and answer"},
};

int run(const Arguments& arguments, Session& session) {
  const std::vector<Explanation> all = explanations();
  if (arguments.has("all")) {
    if (!arguments.operands().empty()) return session.usage("explain takes --all or a CODE");
    return session.finish(all);
  }
  if (arguments.operands().empty()) return session.usage("explain takes a CODE, or --all");
  std::vector<Explanation> chosen;
  for (const std::string& code : arguments.operands()) {
    const std::size_t before = chosen.size();
    std::ranges::copy_if(all, std::back_inserter(chosen), [&](const Explanation& each) {
      // "cast:F32->BF16" is one of many casts.
      const bool is_kind = each.kind == "transform";
      return each.code == (is_kind ? code.substr(0, code.find(':')) : code);
    });
    if (chosen.size() > before) continue;
    std::vector<std::string_view> known(all.size());
    std::ranges::transform(all, known.begin(), &Explanation::code);
    return session.usage(fmt::format("'{}' is no code{}", shown(code), suggestion(code, known)));
  }
  return session.finish(chosen);
}

}  // namespace

const Command explain_command{.name = "explain",
                              .summary = "say what a code means and what to do",
                              .usage = "CODE… | --all",
                              .examples = examples,
                              .options = options,
                              .run = run};

}  // namespace pedigree
