// A dense row-major matrix of doubles.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace pedigree {

struct Matrix {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<double> values = {};

  Matrix() = default;
  Matrix(std::size_t row_count, std::size_t col_count)
      : rows(row_count), cols(col_count), values(row_count * col_count) {}

  double& at(std::size_t row, std::size_t col) { return values[row * cols + col]; }
  double at(std::size_t row, std::size_t col) const { return values[row * cols + col]; }
  std::span<double> row(std::size_t index) { return {values.data() + index * cols, cols}; }
  std::span<const double> row(std::size_t index) const {
    return {values.data() + index * cols, cols};
  }
};

}  // namespace pedigree
