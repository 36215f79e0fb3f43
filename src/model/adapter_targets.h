// Which matrices of an architecture an adapter's updates aim at, and whether a base at hand
// has them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/adapter.h"
#include "model/model.h"

namespace pedigree {

// One canonical matrix that an update changes. Its numbers are those of B·A as [out, in]:
// first_row is a row of B, and rows of each of paired_heads heads stand in pairs there.
struct AdapterTarget {
  std::size_t update = 0;  // index into Adapter::updates
  CanonicalTensor part = {};
};

// By the names of known families; empty where none has such names. Names whose dots became
// underscores are looked up among the tensors of `base`; without one they are not known.
std::vector<AdapterTarget> adapter_targets(const Adapter& adapter, const ModelInfo& model,
                                           const ModelInfo* base = nullptr);

struct AdapterFit {
  std::size_t updates = 0;      // with a matrix of the base that has their shape
  std::size_t absent = 0;       // whose matrix the base does not have
  std::size_t misfits = 0;      // whose matrix has another shape there
  std::string first = {};       // the first that does not fit: one clause
  std::size_t copies = 0;       // whole modules of the base's shape
  std::size_t equal = 0;        // of these, informative ones that hold the base's very bytes
  std::string equal_name = {};  // of the first
};

// `adapter` is `model`'s. Reads the copies of whole modules, up to a MiB of each.
AdapterFit fit_adapter(const Adapter& adapter, const Model& model, const Model& base);

}  // namespace pedigree
