#include <array>
#include <cmath>

#include "tensor/kernels/kernels.h"

namespace pedigree {
namespace {

constexpr std::size_t lanes = 8;

template <class Value>
double dot_of(const Value* a, const Value* b, std::size_t size) {
  std::array<double, lanes> lane = {};
  const std::size_t whole = size / lanes * lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
    for (std::size_t j = 0; j < lanes; ++j) {
      lane[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
    }
  }
  for (std::size_t i = whole; i < size; ++i) {
    lane[i - whole] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

template <class Value>
void dots_of(const Value* a, const Value* b, std::size_t size, std::size_t count, double* out) {
  for (std::size_t k = 0; k < count; ++k) out[k] = dot_of(a, b + k * size, size);
}

void add_tile(const float* a, const float* b, std::size_t depth, float* c, std::size_t stride) {
  for (std::size_t i = 0; i < tile_rows; ++i) {
    for (std::size_t j = 0; j < tile_cols; ++j) {
      float sum = c[i * stride + j];
      for (std::size_t k = 0; k < depth; ++k) {
        sum = std::fma(a[k * tile_rows + i], b[k * tile_cols + j], sum);
      }
      c[i * stride + j] = sum;
    }
  }
}

}  // namespace

const Kernels scalar_kernels = {.id = "scalar",
                                .dot_floats = dot_of<float>,
                                .dot_doubles = dot_of<double>,
                                .dots_floats = dots_of<float>,
                                .dots_doubles = dots_of<double>,
                                .add_tile = add_tile};

}  // namespace pedigree
