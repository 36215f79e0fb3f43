// A list of a model's tensor names beside, or in place of, its weights: "tensor_names.json",
// an array of texts or an object with one called "names".
#pragma once

#include <vector>

#include "base/problem.h"
#include "model/layout.h"
#include "model/metadata_architecture.h"

namespace pedigree {

// Of the first such file; empty without one. What cannot be read is added to `problems`.
ListedTensors read_tensor_list(const ModelLayout& layout, std::vector<Problem>& problems);

}  // namespace pedigree
