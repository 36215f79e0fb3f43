#include "tensor/multiply.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

namespace pedigree {
namespace {

std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// The definition, one element at a time.
std::vector<float> plain(const std::vector<float>& a, const std::vector<float>& b,
                         const ProductShape& shape, std::vector<float> c) {
  for (std::size_t i = 0; i < shape.rows; ++i) {
    for (std::size_t j = 0; j < shape.cols; ++j) {
      float& sum = c[i * shape.cols + j];
      for (std::size_t k = 0; k < shape.depth; ++k) {
        sum = std::fma(a[k * shape.rows + i], b[k * shape.cols + j], sum);
      }
    }
  }
  return c;
}

}  // namespace

TEST_CASE("blocks, edges and threads leave every bit of a product where it was") {
  for (const ProductShape shape : {ProductShape{.depth = 1, .rows = 1, .cols = 1},
                                   ProductShape{.depth = 7, .rows = 6, .cols = 16},
                                   ProductShape{.depth = 300, .rows = 101, .cols = 35},
                                   ProductShape{.depth = 513, .rows = 13, .cols = 150}}) {
    const auto a = random_floats(shape.depth * shape.rows, 1);
    const auto b = random_floats(shape.depth * shape.cols, 2);
    const auto before = random_floats(shape.rows * shape.cols, 3);
    const auto wanted = plain(a, b, shape, before);
    for (const unsigned threads : {1U, 3U}) {
      auto found = before;
      add_transposed_product(a, b, shape, found, threads);
      CHECK(found == wanted);
    }
  }
}

TEST_CASE("a product with itself is the full product, mirrored") {
  const ProductShape shape{.depth = 270, .rows = 109, .cols = 109};
  const auto a = random_floats(shape.depth * shape.rows, 4);
  std::vector<float> found(shape.rows * shape.cols, 9.0F);  // what was there does not count
  gram_product(a, shape.depth, found, 2);
  CHECK(found == plain(a, a, shape, std::vector<float>(found.size())));
}

}  // namespace pedigree
