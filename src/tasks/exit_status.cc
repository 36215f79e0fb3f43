#include <algorithm>
#include <string_view>

#include "tasks/tasks.h"

namespace pedigree {
namespace {

// Said by exit status 3 where that applies, and then no finding besides.
bool is_about_nothing(const Report& report, std::string_view code) {
  return report.nothing_to_do && (code == "no-weights" || code == "weights-not-downloaded" ||
                                  code == "weights-elsewhere" || code == "index-missing-shard");
}

}  // namespace

void RunOutcome::add(const RunOutcome& other) {
  usage = usage || other.usage;
  unreadable = unreadable || other.unreadable;
  findings = findings || other.findings;
  inconclusive = inconclusive || other.inconclusive;
  nothing_to_do = nothing_to_do || other.nothing_to_do;
  interrupted = interrupted || other.interrupted;
}

RunOutcome outcome_of(const Report& report, std::optional<Severity> fail_on) {
  RunOutcome outcome;
  outcome.unreadable = report.unreadable;
  outcome.nothing_to_do = report.nothing_to_do;
  outcome.interrupted =
      std::ranges::find(report.problems, "interrupted", &Problem::code) != report.problems.end();
  outcome.inconclusive = std::ranges::any_of(report.comparisons, [](const Comparison& each) {
    return each.verdict.derived == "inconclusive";
  });
  if (report.tree) outcome.inconclusive = report.tree->is_open();
  if (report.command == "compare") {
    outcome.findings = report.expected && !report.expected->met;
  } else if (fail_on) {
    outcome.findings =
        std::ranges::any_of(report.findings,
                            [&](const Finding& each) {
                              return each.level >= *fail_on && !is_about_nothing(report, each.rule);
                            }) ||
        std::ranges::any_of(report.problems, [&](const Problem& each) {
          return each.severity >= *fail_on && !is_about_nothing(report, each.code);
        });
  }
  return outcome;
}

int exit_status(const RunOutcome& outcome, bool strict) {
  if (outcome.interrupted) return 130;
  if (outcome.usage) return 4;
  if (outcome.unreadable) return 2;
  if (outcome.findings) return 1;
  if (outcome.inconclusive && strict) return 5;
  if (outcome.nothing_to_do) return 3;
  return 0;
}

}  // namespace pedigree
