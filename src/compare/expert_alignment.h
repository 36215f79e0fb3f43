// Which feed-forward block is which once layers are mapped, from all that is at hand of either
// side: sampled sub-blocks, answers that a deep part keeps, or weights.
#pragma once

#include <vector>

#include "compare/alignment.h"
#include "compare/expert_findings.h"

namespace pedigree {

struct ExpertAlignment {
  ExpertFindings findings = {};
  std::vector<Evidence> lookups = {};  // how neurons without their number were looked for
};

// Puts into `alignment.experts` what stands against each other. After a rotation the search has
// said it, and only what it says is looked for here.
Result<ExpertAlignment> align_experts(const Side& subject, const Side& base, Alignment& alignment,
                                      const CompareOptions& options);

}  // namespace pedigree
