// How strong a likeness would have been seen: planted descent.
#pragma once

#include <optional>
#include <vector>

#include "compare/witness.h"

namespace pedigree {

// The smallest mean cosine (a multiple of 0.05) between corresponding units that
// would have given p ≤ 10^threshold with probability 0.999, or nothing when even
// equality would not. Each witness's base rows are mixed into its subject rows
// at that cosine, in a seeded random pairing, several times; the count must lie
// 3.09 deviations above what the bound needs. Assumes nothing but that the two
// models' own rows are what unrelated rows look like.
std::optional<double> power_of(const std::vector<Witness>& witnesses, double threshold);

}  // namespace pedigree
