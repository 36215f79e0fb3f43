#include "cli/commands.h"

#include <algorithm>
#include <array>

namespace pedigree {
namespace {

constexpr Command trace_command{.name = "trace",
                                .summary = "find the most likely parents in a catalogue",
                                .usage = "MODEL --catalog URL"};
constexpr Command catalog_command{
    .name = "catalog", .summary = "keep a store of known models", .usage = "init|add|list|…"};
constexpr Command check_command{.name = "check",
                                .summary = "like audit, one line a finding, for CI",
                                .usage = "MODEL --policy FILE"};
constexpr Command attest_command{
    .name = "attest", .summary = "sign a lineage statement", .usage = "MODEL --key FILE"};
constexpr Command verify_command{
    .name = "verify", .summary = "verify a signature", .usage = "MODEL --signature FILE"};
constexpr Command recheck_command{
    .name = "recheck", .summary = "repeat a report", .usage = "REPORT MODEL BASE…"};
constexpr Command completion_command{
    .name = "completion", .summary = "print shell completion", .usage = "SHELL"};

constexpr std::array<const Command*, 15> table = {
    &audit_command,  &inspect_command, &compare_command, &tree_command,    &fingerprint_command,
    &digest_command, &explain_command, &schema_command,  &trace_command,   &catalog_command,
    &check_command,  &attest_command,  &verify_command,  &recheck_command, &completion_command};

}  // namespace

std::span<const Command* const> commands() { return table; }

const Command* find_command(std::string_view name) {
  const auto* const found = std::ranges::find(table, name, &Command::name);
  return found == table.end() ? nullptr : *found;
}

}  // namespace pedigree
