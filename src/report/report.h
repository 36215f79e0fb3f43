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
#include "compare/joint.h"
#include "report/explanation.h"
#include "report/support.h"
#include "report/tree.h"

namespace pedigree {

// Which kind of claim a row holds against the weights.
enum class ClaimAbout { parent, relation, recipe };

struct Declared {
  std::string source;  // "README.md:4 base_model"
  std::string value;
  std::string verdict;  // confirmed, contradicted, unverified, undeclared
  std::string because;  // one sentence
  ClaimAbout about = ClaimAbout::parent;
  std::string remedy = {};  // of this case, where the verdict's usual one does not fit
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

// A file that `fingerprint` wrote, and what it cost.
struct Written {
  std::string model;
  std::string path;
  std::string scheme;
  std::uint64_t size = 0;
  std::uint64_t bytes_read = 0;    // of the weights
  std::uint64_t weight_bytes = 0;  // of the model
};

// One expected digest held against the file it names.
struct DigestCheck {
  std::string file = {};
  std::string expected = {};  // hex
  std::string actual = {};    // hex; "" when the file is not there
  std::string source = {};    // the list or pointer that names it
  std::string state = {};     // match, mismatch, missing
};

// What --expect asked for.
struct Expectation {
  std::string wanted;  // derived, independent, identical
  bool met = false;
};

struct Report {
  std::string command;  // "audit"
  std::string tool_version;
  std::string scheme;  // of the fingerprints
  std::optional<std::string>
      generated;  // ISO 8601, UTC; absent with --deterministic and no SOURCE_DATE_EPOCH
  std::optional<Subject> subject;
  std::vector<Subject> components;  // of a pipeline, in its order: each a model of its own
  std::vector<Comparison> comparisons;
  std::optional<Joint> joint;  // what several bases explain together
  std::vector<Declared> declared;
  std::vector<Finding> findings;
  std::vector<Problem> problems;        // those of the subject and of the run
  std::vector<Written> written;         // fingerprint
  std::vector<DigestCheck> checks;      // digest --verify
  std::optional<Expectation> expected;  // compare --expect
  std::optional<Tree> tree;             // tree
  bool show_tensors = false;            // inspect --tensors
  bool show_files = false;              // inspect --formats
  bool unreadable = false;              // a needed input could not be read: exit status 2
  bool nothing_to_do = false;           // no weights, or only pointers to them: exit status 3
  std::string rerun;                    // the command line that repeats this
};

struct RenderOptions {
  bool colour = false;
  unsigned width = 80;
  bool compact = false;  // one line for the whole report (compare --pairs)
};

struct Reporter {
  std::string_view id;  // "text": the word after -o
  std::string_view title;

  // Null when this version knows the format's name and cannot write it yet.
  std::string (*render)(const Report& report, const RenderOptions& options) = nullptr;
  std::string (*explain)(std::span<const Explanation> entries,
                         const RenderOptions& options) = nullptr;
  std::string (*support)(std::span<const Supported> rows, const RenderOptions& options) = nullptr;
};

std::span<const Reporter* const> reporters();
const Reporter* find_reporter(std::string_view id);

}  // namespace pedigree
