// BOOL tensors hold a byte for each value, and only 0 and 1 mean one.
#pragma once

#include <optional>

#include "model/model.h"

namespace pedigree {

// The first other byte of each such tensor, as one problem of the model; reads all of them.
std::optional<Problem> boolean_problem(const Model& model);

}  // namespace pedigree
