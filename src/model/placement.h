// The families a model could be of as far as shapes and repetition go, names aside.
//
// Many families share one structure: the answer is all that fit equally well, and the best of
// those that fit less well. What they agree on is known of the model, and nothing else is.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "model/architecture.h"
#include "model/families.h"
#include "model/model.h"

namespace pedigree {

struct Placement {
  std::vector<const Family*> alike = {};  // fit best and equally well, by id
  double score = 0;  // tensors explained, of those there are and those that are missing
  const Family* runner_up = nullptr;  // of another structure; null when no other fits at all
  double runner_up_score = 0;
};

// Absent when nothing repeats, or no family explains enough of it.
std::optional<Placement> place_by_structure(std::span<const StoredTensor> stored);

// `shown`, what roles show, corrected by what all alike families agree on; "unknown" where they
// differ. Activation is never told by shapes, nor are positions that no table holds.
Structure agreed_structure(const Placement& placement, Structure shown);

}  // namespace pedigree
