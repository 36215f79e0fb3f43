// Nets whose architecture nobody knows: convolutions, dense layers, recurrent ones. Units
// are the output channels of hidden kernels (statistics.md section 2); kernels with as many of
// them may share one numbering through skips, so they are one witness.
//
// A pairing that holds tells kinship; whether it is descent or a shared seed stays open, so it is
// `common-origin`. Equal kernels, also in another order of channels, are more. Where neither shows
// and would have, the nets are `independent`.
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
  std::optional<double> power_cosine = {};  // for `no`
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
