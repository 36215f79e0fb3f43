// Finds out whether stored values are a dequantised copy: whole multiples of one
// step within blocks of consecutive columns.
//
// For each block the step is looked for as largest / n. A value counts for the
// hypothesis as much as its closeness to a multiple is unlikely by chance, given
// how coarse the stored type is there; a block fits when all its values are
// multiples and chance explains that with less than 2^-19 after all tried n.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/element_types.h"

namespace pedigree {

struct Lattice {
  std::uint64_t group = 0;  // columns that share a step; 0: no lattice
  bool offset = false;      // multiples count from the block's smallest value, not from zero

  // The grid the values were rounded to when they were stored.
  int precision = 24;
  int smallest_exponent = -149;

  bool found() const { return group != 0; }
};

// `values` is row-major, whole stored rows of `cols` values that lie side by
// side in the file. Looks at 1,024 blocks at most where there is a lattice, and
// at a few where there is none.
Lattice find_lattice(std::uint64_t rows, std::uint64_t cols, std::span<const float> values,
                     const ElementType& type);

// The step in force at each of the columns of one row; 0 where the value's
// block shows none.
std::vector<float> lattice_steps(const Lattice& lattice, std::span<const float> row,
                                 std::span<const std::uint64_t> cols);

}  // namespace pedigree
