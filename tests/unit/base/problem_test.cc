#include "base/problem.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <vector>

#include "base/parallel.h"

namespace pedigree {

TEST_CASE("every problem code is unique, lower-case, and has a meaning and a remedy") {
  std::set<std::string_view> codes;
  for (const ProblemKind& kind : problem_kinds()) {
    CHECK_MESSAGE(codes.insert(kind.code).second, std::string(kind.code));
    CHECK(std::ranges::all_of(kind.code, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }));
    CHECK_MESSAGE(kind.meaning.ends_with('.'), std::string(kind.code));
    CHECK_MESSAGE(kind.remedy.ends_with('.'), std::string(kind.code));
  }
}

TEST_CASE("a problem takes severity and remedy from its row") {
  const Problem problem = make_problem("json-nan", "config.json", "NaN here", 7);
  CHECK(problem.severity == Severity::warning);
  CHECK(problem.remedy == find_problem_kind("json-nan")->remedy);
  CHECK(problem.offset == 7);
  CHECK_FALSE(problem.line.has_value());
  CHECK(find_problem_kind("no-such-code") == nullptr);
  CHECK(severity_name(Severity::note) == "note");
}

TEST_CASE("every index runs once, and the first problem by index is returned") {
  for (const unsigned threads : {0U, 1U, 3U}) {
    std::vector<int> runs(1000);
    CHECK_FALSE(parallel_for(runs.size(), threads, {}, [&](std::size_t i) {
                  ++runs[i];
                  return std::optional<Problem>();
                }).has_value());
    CHECK(std::ranges::count(runs, 1) == 1000);
    const auto problem =
        parallel_for(100, threads, {}, [](std::size_t i) -> std::optional<Problem> {
          if (i % 30 != 29) return std::nullopt;
          return make_problem("io-error", std::to_string(i), "refused");
        });
    REQUIRE(problem.has_value());
    CHECK(problem->file == "29");
  }
}

TEST_CASE("work that was cancelled is interrupted") {
  const std::atomic<bool> cancelled = true;
  const auto problem = parallel_for(10, 2, {.report = {}, .cancelled = &cancelled},
                                    [](std::size_t) { return std::optional<Problem>(); });
  REQUIRE(problem.has_value());
  CHECK(problem->code == "interrupted");
}

}  // namespace pedigree
