// One pair of opened models: sampled alike, compared, and the answer put in
// words where no statistic can be asked.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {

struct JudgeOptions {
  bool quick = false;
  bool details = false;
  std::string salt = {};  // draws the samples of weights; "" for the public one
  RunOptions run = {};
};

// Opens `bases` and compares `subject` with each; what cannot be read becomes an
// inconclusive comparison with its problem. Sets the report's exit facts.
void judge_against(Report& report, Opened& subject, const std::vector<std::string>& bases,
                   OpenedStore& store, const JudgeOptions& options);

// A side as it is sampled against another one.
struct Sketch {
  const Fingerprint* kept = nullptr;    // owned by the Opened
  std::optional<Fingerprint> own = {};  // made for this pair alone

  const Fingerprint& value() const { return own ? *own : *kept; }
};
Result<Sketch> sketch_of(Opened& side, const Opened& other, const JudgeOptions& judge);

// Why the side cannot be asked at all, or "".
std::string why_not(const Opened& side);

Comparison compare_opened(Opened& subject, Opened& base, const CompareOptions& options,
                          const JudgeOptions& judge);

// What several bases say together: one comparison for each of `bases`, in order.
struct BasesAtHand {
  const std::vector<std::string>& bases;
  OpenedStore& store;
  const CompareOptions& options;
  const JudgeOptions& judge;
};
void tell_siblings_among(std::vector<Comparison>& comparisons, Opened& subject,
                         const BasesAtHand& at_hand);

// Why an argument that open_argument() refused was not compared.
std::string could_not_open(const std::string& path, const Problem& problem);

// The line of a pair that was never compared.
Comparison not_compared(std::string subject, std::string base, std::string why);

}  // namespace pedigree
