// What went wrong, said once and carried as a value.
//
// A Problem names a stable code (a row in problems.cc), a place a person can
// find, and one sentence. Readers of hostile bytes throw Malformed and their
// front door turns it into a Problem; everything above returns Result<T>.
// check() is for our own mistakes: it prints and aborts, in release too.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>

namespace pedigree {

enum class Severity { note, warning, error };

std::string_view severity_name(Severity severity);

// One row per code: the source of docs/problems.md and of `pedigree explain`.
struct ProblemKind {
  std::string_view code;
  Severity severity = Severity::error;
  std::string_view meaning;  // what the code says about the file
  std::string_view remedy;   // what a person can do about it
};

std::span<const ProblemKind> problem_kinds();
const ProblemKind* find_problem_kind(std::string_view code);

struct Problem {
  std::string code = {};
  Severity severity = Severity::error;
  std::string file = {};                     // relative to the model's root where there is one
  std::optional<std::uint64_t> offset = {};  // byte offset in `file`
  std::optional<unsigned> line = {};         // 1-based line in a text file
  std::string message = {};                  // one sentence: what is wrong here
  std::string remedy = {};

  bool operator==(const Problem&) const = default;
};

// Fills severity and remedy from the code's row; an unlisted code is our bug.
Problem make_problem(std::string_view code, std::string file, std::string message,
                     std::optional<std::uint64_t> offset = {});

template <class T>
using Result = std::expected<T, Problem>;

// Thrown by readers of hostile bytes, and caught at their room's front door.
struct Malformed {
  Problem problem;
};

[[noreturn]] void malformed(std::string_view code, std::string message,
                            std::optional<std::uint64_t> offset = {});

[[noreturn]] void check_failed(std::string_view reason, std::source_location where);

// Aborts with file, line and reason when `truth` is false: a bug of ours. Inline,
// so that compilers and analyzers know what holds behind it.
inline void check(bool truth, std::string_view reason,
                  std::source_location where = std::source_location::current()) {
  if (!truth) check_failed(reason, where);
}

}  // namespace pedigree
