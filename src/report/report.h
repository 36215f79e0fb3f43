// A Report is a value; a reporter turns it into bytes. No I/O, no clock, no
// arithmetic here: whatever can change between runs was passed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compare/compare.h"

namespace pedigree {

struct Declared {
  std::string source;  // "README.md:4 base_model"
  std::string value;
  std::string verdict;  // confirmed, contradicted, unverified, undeclared
  std::string because;  // one sentence
};

struct Finding {
  std::string rule;
  Severity level = Severity::warning;
  std::string message;
  std::string subject;
  std::string remedy;
};

struct Subject {
  ModelInfo info;  // without the open files
  std::optional<ModelDigests> digests;
  std::string fingerprint_scheme;  // when it was read from a fingerprint
};

struct Report {
  std::string command;  // "audit"
  std::string tool_version;
  std::string scheme;  // of the fingerprints
  std::optional<std::string>
      generated;  // ISO 8601, UTC; absent with --deterministic and no SOURCE_DATE_EPOCH
  std::optional<Subject> subject;
  std::vector<Comparison> comparisons;
  std::vector<Declared> declared;
  std::vector<Finding> findings;
  std::vector<Problem> problems;  // those of the subject and of the run
  bool show_tensors = false;      // inspect --tensors
  std::string rerun;              // the command line that repeats this
};

struct RenderOptions {
  bool colour = false;
  unsigned width = 80;
  bool compact = false;  // json: one line
};

struct Reporter {
  std::string_view id;  // "text": the word after -o
  std::string_view title;
  std::string (*render)(const Report& report, const RenderOptions& options) = nullptr;
};

std::span<const Reporter* const> reporters();
const Reporter* find_reporter(std::string_view id);

}  // namespace pedigree
