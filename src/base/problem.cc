#include "base/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace pedigree {

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

const ProblemKind* find_problem_kind(std::string_view code) {
  const auto kinds = problem_kinds();
  const auto found = std::ranges::find(kinds, code, &ProblemKind::code);
  return found == kinds.end() ? nullptr : &*found;
}

Problem make_problem(std::string_view code, std::string file, std::string message,
                     std::optional<std::uint64_t> offset) {
  const ProblemKind* kind = find_problem_kind(code);
  check(kind != nullptr, fmt::format("problem code {} has no row in problems.cc", code));
  return {.code = std::string(code),
          .severity = kind->severity,
          .file = std::move(file),
          .offset = offset,
          .line = {},
          .message = std::move(message),
          .remedy = std::string(kind->remedy)};
}

void malformed(std::string_view code, std::string message, std::optional<std::uint64_t> offset) {
  throw Malformed{make_problem(code, {}, std::move(message), offset)};
}

void check_failed(std::string_view reason, std::source_location where) {
  std::fprintf(stderr, "pedigree: internal error: %.*s (%s:%u)\n", static_cast<int>(reason.size()),
               reason.data(), where.file_name(), where.line());
  std::abort();
}

}  // namespace pedigree
