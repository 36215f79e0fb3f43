// Where in its family a model stands, when samples cannot say.
//
// Units under other numbers, other widths, rotated coordinates: then samples show at
// most that two models are related. A few members of the family, those from which
// most others stand near, and those next to the best of them, are compared on whole
// weights; a rotated model is measured against the family by what its neurons answer.
#pragma once

#include <optional>

#include "tasks/tree_kin.h"

namespace pedigree {

inline constexpr std::size_t most_place_tests = 8;

// Changes kin.graph.pairs, and adds to kin.deep.
std::optional<Problem> find_places(TreeModels& models, Kin& kin, const KinOptions& options);

}  // namespace pedigree
