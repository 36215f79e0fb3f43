// What a model says of itself and only its stored values can refute.
#pragma once

#include <vector>

#include "model/model.h"

namespace pedigree {

// Reads a few rows of embedding and head, and all BOOL tensors: never for `inspect`,
// which reads no weights.
std::vector<Problem> stored_contradictions(const Model& model);

}  // namespace pedigree
