#include <doctest/doctest.h>

#include <array>

#include "tasks/tasks.h"

using namespace pedigree;

namespace {

// The contract's sentence: "When several apply: 4, 2, 1, 5, 3", and an
// interruption ends all.
int by_contract(const RunOutcome& outcome, bool strict) {
  struct Rule {
    bool holds;
    int status;
  };
  const std::array rules = {Rule{outcome.interrupted, 130},
                            Rule{outcome.usage, 4},
                            Rule{outcome.unreadable, 2},
                            Rule{outcome.findings, 1},
                            Rule{outcome.inconclusive && strict, 5},
                            Rule{outcome.nothing_to_do, 3}};
  for (const Rule& rule : rules) {
    if (rule.holds) return rule.status;
  }
  return 0;
}

RunOutcome outcome_from(unsigned bits) {
  return {.usage = (bits & 1U) != 0,
          .unreadable = (bits & 2U) != 0,
          .findings = (bits & 4U) != 0,
          .inconclusive = (bits & 8U) != 0,
          .nothing_to_do = (bits & 16U) != 0,
          .interrupted = (bits & 32U) != 0};
}

Report report_with(Severity severity) {
  Report report;
  report.command = "audit";
  report.findings = {{"some-rule", severity, "m", "s", "r"}};
  return report;
}

}  // namespace

TEST_CASE("every combination of outcomes ends with the contract's exit status") {
  for (unsigned bits = 0; bits < 64; ++bits) {
    for (const bool strict : {false, true}) {
      const RunOutcome outcome = outcome_from(bits);
      CHECK_MESSAGE(exit_status(outcome, strict) == by_contract(outcome, strict), bits);
    }
  }
  CHECK(exit_status({}, true) == 0);
  CHECK(exit_status({.inconclusive = true}, false) == 0);
}

TEST_CASE("outcomes of many reports add up") {
  for (unsigned a = 0; a < 64; ++a) {
    RunOutcome sum = outcome_from(a);
    sum.add(outcome_from(21));
    CHECK(sum == outcome_from(a | 21U));
  }
}

TEST_CASE("findings count at or above the level asked for") {
  CHECK_FALSE(outcome_of(report_with(Severity::warning), Severity::error).findings);
  CHECK(outcome_of(report_with(Severity::warning), Severity::warning).findings);
  CHECK(outcome_of(report_with(Severity::error), Severity::note).findings);
  CHECK_FALSE(outcome_of(report_with(Severity::error), std::nullopt).findings);
}

TEST_CASE("problems count like findings, except for compare") {
  Report report;
  report.command = "inspect";
  report.problems = {make_problem("index-wrong-shard", "a", "b")};
  CHECK(outcome_of(report, Severity::error).findings);
  report.command = "compare";
  CHECK_FALSE(outcome_of(report, Severity::error).findings);
  report.expected = Expectation{.wanted = "derived", .met = false};
  CHECK(outcome_of(report, std::nullopt).findings);
  report.expected->met = true;
  CHECK_FALSE(outcome_of(report, Severity::error).findings);
}

TEST_CASE("an interrupted task is no error of the input") {
  Report report;
  report.problems = {make_problem("interrupted", {}, "stopped")};
  CHECK(exit_status(outcome_of(report, Severity::error), false) == 130);
}

TEST_CASE("an undecided verdict is inconclusive") {
  Report report;
  report.comparisons.resize(2);
  report.comparisons[0].verdict.derived = "yes";
  CHECK(outcome_of(report, Severity::error).inconclusive);
  report.comparisons[1].verdict.derived = "no";
  CHECK_FALSE(outcome_of(report, Severity::error).inconclusive);
}

TEST_CASE("no weights and nothing but pointers end with 3, missing shards of a model with 1") {
  Report report;
  report.command = "inspect";
  report.problems = {make_problem("weights-not-downloaded", "a", "b")};
  CHECK(exit_status(outcome_of(report, Severity::error), false) == 1);
  report.nothing_to_do = true;
  CHECK(exit_status(outcome_of(report, Severity::error), false) == 3);
  report.problems.push_back(make_problem("symlink-escape", "a", "b"));
  CHECK(exit_status(outcome_of(report, Severity::error), false) == 1);
}
