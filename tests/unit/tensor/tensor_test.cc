#include "tensor/tensor.h"

#include <doctest/doctest.h>

#include <random>

#include "tensor/reduce.h"

namespace pedigree {

TEST_CASE("a scalar has one element and a zero dimension leaves none") {
  CHECK(TensorEntry{}.element_count() == 1);
  CHECK(TensorEntry{.shape = {3, 4, 5}}.element_count() == 60);
  CHECK(TensorEntry{.shape = {3, 0, 5}}.element_count() == 0);
  CHECK(Extent{.begin = 8, .end = 20}.size() == 12);
}

TEST_CASE("reductions equal their defining form bit for bit at every length") {
  std::mt19937_64 random(7);
  std::vector<float> a;
  std::vector<float> b;
  for (int i = 0; i < 100; ++i) {
    CHECK(dot(a, b) == dot_oracle(a, b));
    CHECK(sum_of_squares(a) == dot_oracle(a, a));
    CHECK(sum(a) == dot_oracle(a, std::vector<float>(a.size(), 1.0F)));
    a.push_back(static_cast<float>(static_cast<double>(random() >> 11U) * 0x1p-53 - 0.5));
    b.push_back(static_cast<float>(static_cast<double>(random() >> 11U) * 0x1p-40 - 0.5));
  }
}

TEST_CASE("reductions widen before they multiply") {
  const std::vector<float> big = {1e30F, 1e30F};
  CHECK(sum_of_squares(big) == 2 * (static_cast<double>(1e30F) * static_cast<double>(1e30F)));
  CHECK(sum(std::vector<float>{}) == 0);
}

}  // namespace pedigree
