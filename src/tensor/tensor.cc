#include "tensor/tensor.h"

namespace pedigree {

std::uint64_t TensorEntry::element_count() const {
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) count *= dimension;
  return count;
}

}  // namespace pedigree
