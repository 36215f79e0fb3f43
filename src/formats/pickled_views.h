// What a pickled tensor says of itself, before anything is looked up in the file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/pickle.h"
#include "formats/pickled_tensors.h"
#include "formats/pickled_types.h"

namespace pedigree {

struct PickledView {
  PickledType type = {};
  std::vector<std::uint64_t> shape = {};
  std::vector<std::uint64_t> strides = {};  // in elements
  std::uint64_t first = 0;                  // element
  StorageId storage = {};                   // of a PyTorch tensor
  Extent inline_bytes = {};                 // of a NumPy array: in the pickle itself
  bool is_inline = false;
  bool quantized = false;  // integers whose scale and zero point stand in the pickle
};

// Throws Malformed: tensor-malformed, tensor-unread.
PickledView pickled_view(const PickleTree& tree, PickleRef ref, const Limits& limits);

}  // namespace pedigree
