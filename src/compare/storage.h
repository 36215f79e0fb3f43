// How two models store the same tensors differently.
#pragma once

#include <string>
#include <vector>

#include "compare/compare.h"

namespace pedigree {

// The transforms that lead from one side's stored tensors to logical ones and are not
// needed on the other ("transpose", "rope-permute"), sorted. Empty where a side is a
// sketch, which is of logical tensors already.
std::vector<std::string> storage_transforms(const Side& subject, const Side& base);

}  // namespace pedigree
