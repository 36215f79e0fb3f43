// --details: a row for every tensor of the subject.
#pragma once

#include <vector>

#include "compare/alignment.h"
#include "compare/compare.h"

namespace pedigree {

// From a full pass over both models where both are at hand, from digests where
// both fingerprints hold them, else from the sampled parts (where "equal" means
// equal on the sample and names are roles).
Result<std::vector<TensorRow>> tensor_rows(const Side& subject, const Side& base,
                                           const Alignment& alignment,
                                           const std::vector<RoleChange>& change,
                                           const CompareOptions& options);

}  // namespace pedigree
