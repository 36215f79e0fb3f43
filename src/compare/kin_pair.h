// From one comparison on sketches and one kinship to a KinPair.
#pragma once

#include "compare/compare.h"
#include "compare/family_tree.h"
#include "compare/kinship.h"

namespace pedigree {

// Does one of the two follow from the other without training: equal, rounded,
// quantised, cut, repeated, extended, re-dealt, a low-rank update merged in?
// False where the comparison could not set values against each other.
bool is_copy(const Comparison& comparison);

// The direction of a copy, from the base (first) to the subject (second); unknown
// for all else: where training lies between two models, a sign that one of them
// lost something says no more than that it is not the other's ancestor.
LinkDirection copy_direction(const Comparison& comparison);

// `comparison` is of `second`, the subject, against `first`, the base.
KinPair kin_pair(std::size_t first, std::size_t second, const Comparison& comparison,
                 const Kinship& kinship);

}  // namespace pedigree
