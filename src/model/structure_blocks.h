// The repeated blocks in a list of tensors, found without understanding names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace pedigree {

using Shape = std::vector<std::uint64_t>;

// One reading of a model as blocks: indices into the stored tensors.
struct Layout {
  std::vector<std::size_t> before = {};
  std::vector<std::vector<std::size_t>> blocks =
      {};  // equally long; the same shapes in the same order
  std::vector<std::size_t> after = {};
  bool sorted_by_name = false;
};

// Compares digits by value: "t9" before "t10".
bool natural_less(std::string_view a, std::string_view b);

// Every reading worth trying, in order of trust: by the first number in the
// names, by natural order of the names, by place in the files; and for the
// latter two each way to cut the first block. Empty above 50,000 tensors, which
// no decoder without experts has.
std::vector<Layout> block_layouts(std::span<const StoredTensor> stored);

}  // namespace pedigree
