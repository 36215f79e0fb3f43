// One pair of opened models: sampled alike, compared, and the answer put in
// words where no statistic can be asked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tasks/opened.h"
#include "tasks/tasks.h"

namespace pedigree {

struct JudgeOptions {
  bool quick = false;
  bool details = false;
  RunOptions run = {};
};

// Opens `bases` and compares `subject` with each; what cannot be read becomes an
// inconclusive comparison with its problem. Sets the report's exit facts.
void judge_against(Report& report, Opened& subject, const std::vector<std::string>& bases,
                   OpenedStore& store, const JudgeOptions& options);

// Why an argument that open_argument() refused was not compared.
std::string could_not_open(const std::string& path, const Problem& problem);

// The line of a pair that was never compared.
Comparison not_compared(std::string subject, std::string base, std::string why);

}  // namespace pedigree
