// Nets whose architecture nobody knows: convolutions, dense layers, recurrent ones. Units
// are the output channels of hidden kernels (statistics.md section 2); kernels with as many of
// them may share one numbering through skips, so they are one witness.
//
// A pairing by index that holds tells kinship. Whether it is descent or a shared seed, gains
// alone can tell; where there are none, or they disagree, it stays `common-origin`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"

namespace pedigree {

struct NetFindings {
  std::string relation = {};  // "" when nothing could be told
  std::string derived = "inconclusive";
  std::string stage = {};
  std::string because = {};  // why it is inconclusive
  std::optional<double> log10_p = {};
  double coverage = 0;
  std::vector<std::string> transforms = {};
  std::vector<std::string> changed_tensors = {};
  std::vector<Evidence> evidence = {};
  std::vector<TensorRow> rows = {};  // only with details
};

// Both models' weights are read, up to a bound (net_tensors.h). For pairs where neither side
// has roles.
Result<NetFindings> compare_nets(const Model& subject, const Model& base,
                                 const CompareOptions& options);

}  // namespace pedigree
