// Is the subject a base with adapters merged into it: base + Σ factor · scale · B·A?
//
// A merged adapter leaves nothing of its own: every number of the subject is the base's
// plus what the adapter's file says, rounded once into the stored type. So the claim is
// held against that rounding, matrix by matrix, and against every other tensor, which has
// to be the base's. A wrong adapter of the right shapes explains nothing: its B·A points
// elsewhere among as many dimensions as a matrix has numbers.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/problem.h"
#include "compare/joint.h"
#include "model/model.h"

namespace pedigree {

struct NamedModel {
  std::string name = {};
  const Model* model = nullptr;
};

// Reads up to 64 × 256 values of each matrix of subject and base, and of the adapters'.
// None where no adapter aims at matrices that both models have, where the subject is the
// base unchanged, and where the types are quantisers'. A joint answer of relation
// `inconclusive` says that the adapters do not explain the subject.
Result<std::optional<Joint>> joint_with_adapters(const NamedModel& subject, const NamedModel& base,
                                                 std::span<const NamedModel> adapters);

}  // namespace pedigree
