// Which merge method the fitted weights show.
//
// Forward maps are mergekit's. What two methods would both write down is named
// after both: SLERP between models whose cosine is near one is linear, and task
// arithmetic whose weights leave the base a share is a linear merge of the base
// too.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "compare/merge_fit.h"

namespace pedigree {

struct MergeMethod {
  std::string name = {};                 // as in Joint::method
  std::optional<std::size_t> base = {};  // place in the fit's candidates
  std::vector<double> weights = {};      // overall, by the fit's candidates
  std::vector<double> deviations = {};   // of the weight over the matrices
  std::optional<double> t = {};          // SLERP: from the first to the second candidate, overall
  std::vector<double> positions = {};    // the same by part; empty without t
  double sum = 1;                        // of the weights
  bool varies = false;                   // weights differ from matrix to matrix
};

MergeMethod merge_method(const MergeParts& parts, const MergeFit& fit);

// Pooled cosine of two candidates' sampled matrices; 0 within ±0.05 for models
// trained apart.
double cosine_between(const MergeParts& parts, std::size_t a, std::size_t b);

}  // namespace pedigree
