// What changed where one side is narrower: parts are read where their partners lie.
#pragma once

#include <vector>

#include "compare/change.h"

namespace pedigree {

// Like changes(), not yet measured, for an alignment by width. Up to 64 units on up to
// 64 residual dimensions of each role and layer; gains on all dimensions paired.
Result<std::vector<Change>> changes_by_width(const Side& subject, const Side& base,
                                             const Alignment& alignment);

}  // namespace pedigree
