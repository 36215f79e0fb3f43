// Dot products, many at a time, in the one order that reduce.h promises: eight
// fixed lanes, element i in lane i mod 8, folded ((0+1)+(2+3))+((4+5)+(6+7)).
//
// scalar.cc is the definition. A vector version equals it bit for bit (a test
// compares them): products of floats are exact in a double, so they may be fused
// with the addition; products of doubles are rounded before they are added.
#pragma once

#include <cstddef>

namespace pedigree {

// What add_tile works on.
inline constexpr std::size_t tile_rows = 6;
inline constexpr std::size_t tile_cols = 16;

struct Kernels {
  const char* id = "";
  double (*dot_floats)(const float* a, const float* b, std::size_t size) = nullptr;
  double (*dot_doubles)(const double* a, const double* b, std::size_t size) = nullptr;

  // out[k] = a · (b + k · size) for k < count: `a` against consecutive rows.
  void (*dots_floats)(const float* a, const float* b, std::size_t size, std::size_t count,
                      double* out) = nullptr;
  void (*dots_doubles)(const double* a, const double* b, std::size_t size, std::size_t count,
                       double* out) = nullptr;

  // c[i][j] = fma(a[k][i], b[k][j], c[i][j]) for k = 0 … depth-1: a is depth × tile_rows,
  // b is depth × tile_cols, c is tile_rows × tile_cols with `stride` between its rows.
  void (*add_tile)(const float* a, const float* b, std::size_t depth, float* c,
                   std::size_t stride) = nullptr;
};

extern const Kernels scalar_kernels;
extern const Kernels avx2_kernels;  // only to be called where the processor has AVX2 and FMA

bool has_avx2();

// The fastest this processor can run; chosen once.
const Kernels& kernels();

}  // namespace pedigree
