// The library's verbs: from options to a Report.
//
// A task opens what it is given, asks the rooms below, and says everything it
// has to say in the Report, problems included; it prints nothing and reads no
// clock. What exit status a Report earns is decided in one place, below.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"

namespace pedigree {

struct RunOptions {
  unsigned threads = 0;  // 0: one per core
  Progress progress = {};
};

struct InspectRequest {
  std::string model = {};
  bool tensors = false;
  bool files = false;
};
Report inspect_model(const InspectRequest& request);

struct CompareRequest {
  std::string subject = {};
  std::vector<std::string> bases = {};
  bool quick = false;
  bool details = false;
  std::string expect = {};     // derived, independent, identical; "" for no expectation
  std::string salt_file = {};  // "" for the public sample
  RunOptions run = {};
};
Report compare_models(const CompareRequest& request);

// Lines "SUSPECT<TAB>BASE[<TAB>BASE…]"; one Report a line, in order, handed out
// as soon as it is known. Each model is opened and sampled once for many pairs.
struct PairsRequest {
  std::string lines = {};
  bool quick = false;
  bool details = false;
  std::string expect = {};
  std::string salt_file = {};
  RunOptions run = {};
};
void compare_pairs(const PairsRequest& request, const std::function<void(Report)>& sink);

// The family tree of a set of models and fingerprints, whatever their order.
struct TreeRequest {
  std::vector<std::string> models = {};
  bool quick = false;      // samples only
  std::string again = {};  // the command line that repeats this, for the report
  RunOptions run = {};
};
Report tree_of_models(const TreeRequest& request);

struct AuditRequest {
  std::string model = {};
  std::vector<std::string> against = {};
  bool digests = false;  // also read every byte
  bool quick = false;
  bool details = false;
  std::string salt_file = {};
  RunOptions run = {};
};
Report audit_model(const AuditRequest& request);

struct FingerprintRequest {
  std::vector<std::string> models = {};
  std::string to = {};         // file or directory; "" for the working directory
  bool digests = false;        // also make the full pass
  bool deep = false;           // also keep what the deep stages need
  std::string salt_file = {};  // "" for the public sample
  RunOptions run = {};
};
Report fingerprint_models(const FingerprintRequest& request);

struct DigestRequest {
  std::string model = {};
  std::vector<std::string> tiers = {"h0", "h1"};
  std::vector<std::string> verify = {};  // lists of expected digests
  RunOptions run = {};
};
Report digest_model_files(const DigestRequest& request);

// A report of one of these that could not begin.
Report failed_report(std::string command, Problem problem);

// What `explain` knows: problem codes, finding rules, relations and answers.
std::vector<Explanation> explanations();

// What `inspect --formats` lists: every format, element type and quantiser's layout.
std::vector<Supported> supported();

struct NamedSchema {
  std::string_view name;  // "report-1"
  std::string_view text;
};
std::vector<NamedSchema> schemas();

// The whole of a small text, or of standard input for "-".
Result<std::string> read_text_input(const std::string& path);

// What a run came to; several may hold at once.
struct RunOutcome {
  bool usage = false;          // 4
  bool unreadable = false;     // 2
  bool findings = false;       // 1
  bool inconclusive = false;   // 5, when asked to be strict
  bool nothing_to_do = false;  // 3
  bool interrupted = false;    // 130

  void add(const RunOutcome& other);
  bool operator==(const RunOutcome&) const = default;
};

// Findings count at or above `fail_on`; never when it is absent. A comparison
// fails by its expectation alone.
RunOutcome outcome_of(const Report& report, std::optional<Severity> fail_on);

int exit_status(const RunOutcome& outcome, bool strict);

}  // namespace pedigree
