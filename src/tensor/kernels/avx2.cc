// One vector holds lanes 0–3, another lanes 4–7. Four rows are taken at a time:
// a single row would wait for its own additions.
#include "tensor/kernels/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>

namespace pedigree {
namespace {

constexpr std::size_t lanes = 8;
constexpr std::size_t rows_at_once = 4;

#define PEDIGREE_AVX2 __attribute__((target("avx2,fma")))

struct Widened {
  __m256d low;
  __m256d high;
};

PEDIGREE_AVX2 inline Widened eight(const float* from) {
  return {.low = _mm256_cvtps_pd(_mm_loadu_ps(from)),
          .high = _mm256_cvtps_pd(_mm_loadu_ps(from + 4))};
}

PEDIGREE_AVX2 inline Widened eight(const double* from) {
  return {.low = _mm256_loadu_pd(from), .high = _mm256_loadu_pd(from + 4)};
}

// Exact products of floats may be fused; those of doubles are rounded first.
PEDIGREE_AVX2 inline __m256d added(__m256d to, __m256d a, __m256d b, float /*kind*/) {
  return _mm256_fmadd_pd(a, b, to);
}
PEDIGREE_AVX2 inline __m256d added(__m256d to, __m256d a, __m256d b, double /*kind*/) {
  return _mm256_add_pd(to, _mm256_mul_pd(a, b));
}

template <class Value>
PEDIGREE_AVX2 inline double finished(const Widened& sums, const Value* a, const Value* b,
                                     std::size_t whole, std::size_t size) {
  alignas(32) std::array<double, lanes> lane;
  _mm256_store_pd(lane.data(), sums.low);
  _mm256_store_pd(lane.data() + 4, sums.high);
  for (std::size_t i = whole; i < size; ++i) {
    const double product = static_cast<double>(a[i]) * static_cast<double>(b[i]);
    lane[i - whole] += product;
  }
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

template <class Value>
PEDIGREE_AVX2 double dot_of(const Value* a, const Value* b, std::size_t size) {
  const std::size_t whole = size / lanes * lanes;
  Widened sums = {.low = _mm256_setzero_pd(), .high = _mm256_setzero_pd()};
  for (std::size_t i = 0; i < whole; i += lanes) {
    const Widened x = eight(a + i);
    const Widened y = eight(b + i);
    sums.low = added(sums.low, x.low, y.low, Value{});
    sums.high = added(sums.high, x.high, y.high, Value{});
  }
  return finished(sums, a, b, whole, size);
}

template <class Value>
PEDIGREE_AVX2 void four_dots(const Value* a, const Value* b, std::size_t size, double* out) {
  const std::size_t whole = size / lanes * lanes;
  Widened sums[rows_at_once];
  for (Widened& sum : sums) sum = {.low = _mm256_setzero_pd(), .high = _mm256_setzero_pd()};
  for (std::size_t i = 0; i < whole; i += lanes) {
    const Widened x = eight(a + i);
    for (std::size_t k = 0; k < rows_at_once; ++k) {
      const Widened y = eight(b + k * size + i);
      sums[k].low = added(sums[k].low, x.low, y.low, Value{});
      sums[k].high = added(sums[k].high, x.high, y.high, Value{});
    }
  }
  for (std::size_t k = 0; k < rows_at_once; ++k) {
    out[k] = finished(sums[k], a, b + k * size, whole, size);
  }
}

template <class Value>
PEDIGREE_AVX2 void dots_of(const Value* a, const Value* b, std::size_t size, std::size_t count,
                           double* out) {
  std::size_t k = 0;
  for (; k + rows_at_once <= count; k += rows_at_once) four_dots(a, b + k * size, size, out + k);
  for (; k < count; ++k) out[k] = dot_of(a, b + k * size, size);
}

PEDIGREE_AVX2 void add_tile(const float* a, const float* b, std::size_t depth, float* c,
                            std::size_t stride) {
  __m256 left[tile_rows];
  __m256 right[tile_rows];
  for (std::size_t i = 0; i < tile_rows; ++i) {
    left[i] = _mm256_loadu_ps(c + i * stride);
    right[i] = _mm256_loadu_ps(c + i * stride + 8);
  }
  for (std::size_t k = 0; k < depth; ++k) {
    const __m256 x = _mm256_loadu_ps(b + k * tile_cols);
    const __m256 y = _mm256_loadu_ps(b + k * tile_cols + 8);
#pragma GCC unroll 6
    for (std::size_t i = 0; i < tile_rows; ++i) {
      const __m256 factor = _mm256_broadcast_ss(a + k * tile_rows + i);
      left[i] = _mm256_fmadd_ps(factor, x, left[i]);
      right[i] = _mm256_fmadd_ps(factor, y, right[i]);
    }
  }
  for (std::size_t i = 0; i < tile_rows; ++i) {
    _mm256_storeu_ps(c + i * stride, left[i]);
    _mm256_storeu_ps(c + i * stride + 8, right[i]);
  }
}

#undef PEDIGREE_AVX2

}  // namespace

const Kernels avx2_kernels = {.id = "avx2",
                              .dot_floats = dot_of<float>,
                              .dot_doubles = dot_of<double>,
                              .dots_floats = dots_of<float>,
                              .dots_doubles = dots_of<double>,
                              .add_tile = add_tile};

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

}  // namespace pedigree

#else

namespace pedigree {

const Kernels avx2_kernels = {};

bool has_avx2() { return false; }

}  // namespace pedigree

#endif
