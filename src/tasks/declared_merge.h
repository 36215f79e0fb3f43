// A merge recipe, held against what the candidates explain together.
#pragma once

#include <optional>
#include <vector>

#include "tasks/declared.h"

namespace pedigree {

// Where every parent the recipe names was compared: a row for its method, for
// each weight and for t, and a contradiction for a parent the merge does without.
// What two readings of the recipe or of the weights would both allow gets no row.
void hold_recipe(const ModelInfo& model, const std::vector<Candidate>& candidates,
                 const std::optional<Joint>& joint, std::vector<Declared>& rows);

}  // namespace pedigree
