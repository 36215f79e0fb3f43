#include "compare/rounded_update.h"

#include <doctest/doctest.h>

#include <random>

#include "tensor/element_types.h"

namespace pedigree {
namespace {

constexpr std::size_t size = 96;
constexpr std::size_t rank = 4;

Matrix rounded(Matrix matrix) {
  const ElementType& type = *find_element_type("BF16");
  for (double& value : matrix.values) value = rounded_to(type, static_cast<float>(value));
  return matrix;
}

Matrix weights(std::mt19937& random) {
  std::normal_distribution<double> normal(0, 0.05);
  Matrix matrix(size, size);
  for (double& value : matrix.values) value = normal(random);
  return rounded(std::move(matrix));
}

Matrix plus_update(Matrix matrix, std::mt19937& random) {
  std::normal_distribution<double> normal(0, 0.08);
  Matrix left(size, rank);
  Matrix right(rank, size);
  for (double& value : left.values) value = normal(random);
  for (double& value : right.values) value = normal(random);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j < size; ++j) {
      for (std::size_t k = 0; k < rank; ++k) matrix.at(i, j) += left.at(i, k) * right.at(k, j);
    }
  }
  return rounded(std::move(matrix));
}

std::optional<RoundedUpdate> seen(const Matrix& subject, const Matrix& base, std::size_t of_rank) {
  const ElementType* type = find_element_type("BF16");
  const std::vector<Change> all = {{.role = "attn.q",
                                    .subject_layer = 0,
                                    .base_layer = 0,
                                    .subject = subject,
                                    .base = base,
                                    .subject_type = type,
                                    .base_type = type}};
  const Fingerprint sketch;
  Alignment alignment;
  alignment.layers = {{0, 0}};
  const auto found =
      rounded_update({.sketch = sketch}, {.sketch = sketch}, alignment, all, of_rank);
  REQUIRE(found.has_value());
  return *found;
}

}  // namespace

TEST_CASE("the side that was rounded after a low-rank update is the child") {
  std::mt19937 random(1);
  const Matrix parent = weights(random);
  const Matrix child = plus_update(parent, random);
  const auto forward = seen(child, parent, rank);
  REQUIRE(forward.has_value());
  CHECK(forward->subject_was_rounded);
  CHECK(forward->ratio > 2);
  const auto backward = seen(parent, child, rank);
  REQUIRE(backward.has_value());
  CHECK_FALSE(backward->subject_was_rounded);
  CHECK(backward->ratio == doctest::Approx(1 / forward->ratio).epsilon(0.1));
}

TEST_CASE("two adapters merged into one parent leave no sign between their models") {
  std::mt19937 random(2);
  const Matrix parent = weights(random);
  const Matrix first = plus_update(parent, random);
  const Matrix second = plus_update(parent, random);
  CHECK_FALSE(seen(first, second, 2 * rank).has_value());
}

TEST_CASE("equal matrices leave no sign") {
  std::mt19937 random(3);
  const Matrix parent = weights(random);
  CHECK_FALSE(seen(parent, parent, rank).has_value());
}

}  // namespace pedigree
