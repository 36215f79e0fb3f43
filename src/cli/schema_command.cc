#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/commands.h"

namespace pedigree {
namespace {

constexpr std::array<std::string_view, 2> examples = {
    "pedigree schema",
    "pedigree schema report-1 > report-1.schema.json",
};

int run(const Arguments& arguments, Session& session) {
  const std::vector<NamedSchema> all = schemas();
  if (arguments.operands().size() > 1) return session.usage("schema takes one NAME");
  if (arguments.operands().empty()) {
    std::string names;
    for (const NamedSchema& each : all) names += fmt::format("{}\n", each.name);
    return session.print(names);
  }
  const std::string& wanted = arguments.operands().front();
  const auto found = std::ranges::find(all, wanted, &NamedSchema::name);
  if (found != all.end()) return session.print(found->text);
  std::vector<std::string_view> known(all.size());
  std::ranges::transform(all, known.begin(), &NamedSchema::name);
  return session.usage(
      fmt::format("'{}' is no schema{}", shown(wanted), suggestion(wanted, known)));
}

}  // namespace

const Command schema_command{.name = "schema",
                             .summary = "print a JSON Schema, or the names of all",
                             .usage = "[NAME]",
                             .examples = examples,
                             .run = run};

}  // namespace pedigree
