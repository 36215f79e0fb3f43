// How a model says it was made from its base (base_model_relation), held against what
// the weights show.
#pragma once

#include <vector>

#include "tasks/declared.h"

namespace pedigree {

// Adds a row for each claim that the comparison with a declared base can judge: bases
// whose weights were not found in the model say nothing of how it was made.
void hold_relations(const ModelInfo& model, const std::vector<Candidate>& candidates,
                    const std::vector<Comparison>& comparisons, std::vector<Declared>& rows);

}  // namespace pedigree
