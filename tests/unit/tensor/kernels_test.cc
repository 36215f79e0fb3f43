#include "tensor/kernels/kernels.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "tensor/reduce.h"

namespace pedigree {
namespace {

template <class Value>
std::vector<Value> wild_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_int_distribution<int> exponent(-30, 30);
  std::vector<Value> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<Value>(std::ldexp(normal(random), exponent(random))));
  }
  return values;
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

template <class Value, class Dot, class Dots>
void hold_to_scalar(Dot Kernels::* dot, Dots Kernels::* dots) {
  for (std::size_t size = 0; size <= 67; ++size) {
    constexpr std::size_t count = 7;  // four at once, and three left over
    const auto a = wild_values<Value>(size, static_cast<unsigned>(size));
    const auto b = wild_values<Value>(size * count, static_cast<unsigned>(100 + size));
    std::vector<double> out(count);
    (avx2_kernels.*dots)(a.data(), b.data(), size, count, out.data());
    for (std::size_t k = 0; k < count; ++k) {
      CAPTURE(size);
      CAPTURE(k);
      const double wanted = (scalar_kernels.*dot)(a.data(), b.data() + k * size, size);
      CHECK(bits(out[k]) == bits(wanted));
      CHECK(bits((avx2_kernels.*dot)(a.data(), b.data() + k * size, size)) == bits(wanted));
    }
  }
}

}  // namespace

TEST_CASE("the vector kernels give the scalar ones' bits for every length") {
  if (!has_avx2()) {
    MESSAGE("SKIPPED: this processor has no AVX2, so there is no vector kernel to hold");
    return;
  }
  hold_to_scalar<float>(&Kernels::dot_floats, &Kernels::dots_floats);
  hold_to_scalar<double>(&Kernels::dot_doubles, &Kernels::dots_doubles);
}

TEST_CASE("a dot product is the one of eight lanes folded in pairs") {
  const auto a = wild_values<float>(1001, 1);
  const auto b = wild_values<float>(1001, 2);
  CHECK(bits(dot(a, b)) == bits(dot_oracle(a, b)));
  CHECK(bits(scalar_kernels.dot_floats(a.data(), b.data(), a.size())) == bits(dot_oracle(a, b)));
}

TEST_CASE("dots of several rows are the dots of each") {
  const auto a = wild_values<double>(19, 3);
  const auto rows = wild_values<double>(19 * 6, 4);
  std::vector<double> out(6);
  dots(a, rows, out);
  for (std::size_t k = 0; k < out.size(); ++k) {
    CHECK(bits(out[k]) == bits(dot(a, std::span<const double>(rows).subspan(19 * k, 19))));
  }
}

TEST_CASE("a vector tile of a product has the bits of the scalar one") {
  if (!has_avx2()) {
    MESSAGE("SKIPPED: this processor has no AVX2, so there is no vector kernel to hold");
    return;
  }
  for (std::size_t depth = 0; depth < 20; ++depth) {
    const auto a = wild_values<float>(depth * tile_rows, static_cast<unsigned>(depth));
    const auto b = wild_values<float>(depth * tile_cols, static_cast<unsigned>(50 + depth));
    auto wanted = wild_values<float>(tile_rows * 20, 7);  // rows lie 20 apart
    auto found = wanted;
    scalar_kernels.add_tile(a.data(), b.data(), depth, wanted.data(), 20);
    avx2_kernels.add_tile(a.data(), b.data(), depth, found.data(), 20);
    CHECK(found == wanted);
  }
}

}  // namespace pedigree
