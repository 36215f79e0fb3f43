// The list of files in a model, each with its kind and the digest its
// surroundings expect of it.
#pragma once

#include <vector>

#include "model/layout.h"
#include "model/model.h"
#include "model/shards_sets.h"

namespace pedigree {

// Expected digests come from LFS pointers, from the names of hub-cache blobs,
// from the hub's download records, and from SHA256SUMS lists at the root.
void add_model_files(const ModelLayout& layout, const std::vector<WeightCandidate>& candidates,
                     std::vector<ModelFile>& files);

}  // namespace pedigree
