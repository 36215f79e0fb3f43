// Products of float matrices too large for one dot product at a time.
//
// Each element is one chain of fused multiply-adds in the order of the depth, so
// blocks, threads and vector width cannot move a bit. Floats, not doubles: for what
// is itself an estimate, such as a rotation of thousands of dimensions.
#pragma once

#include <cstddef>
#include <span>

namespace pedigree {

struct ProductShape {
  std::size_t depth = 0;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

// c += aᵀ b, where a is depth × rows, b is depth × cols and c is rows × cols.
void add_transposed_product(std::span<const float> a, std::span<const float> b,
                            const ProductShape& shape, std::span<float> c, unsigned threads);

// c = aᵀ a, where a is depth × size: half the work.
void gram_product(std::span<const float> a, std::size_t depth, std::span<float> c,
                  unsigned threads);

}  // namespace pedigree
