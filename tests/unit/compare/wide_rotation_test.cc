#include "compare/wide_rotation.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compare/dense.h"

namespace pedigree {
namespace {

Matrix random_matrix(std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix matrix(rows, cols);
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    largest = std::max(largest, std::abs(a.values[i] - b.values[i]));
  }
  return largest;
}

}  // namespace

TEST_CASE("a rotation planted in rows of uneven length is taken back") {
  constexpr std::size_t width = 70;
  const Matrix rotation = nearest_orthogonal(random_matrix(width, width, 1), 1);
  Matrix base = random_matrix(160, width, 2);
  for (std::size_t i = 0; i < base.rows; ++i) {
    for (double& value : base.row(i)) value *= std::pow(2.0, static_cast<double>(i % 9));
  }
  // base · R, with R's rows as the images of the base's coordinates.
  const Matrix subject = times_transposed(base, transposed(rotation), 1);
  WideRotation found(width, 2);
  found.add(base, subject);
  found.solve();
  const Matrix more = random_matrix(12, width, 3);
  const Matrix back = found.turned_back(times_transposed(more, transposed(rotation), 1));
  CHECK(largest_difference(back, more) < 1e-3);
}

TEST_CASE("the factor found in floats is the one found in doubles") {
  constexpr std::size_t width = 48;
  const Matrix rows = random_matrix(width, 4 * width, 5);  // well conditioned
  const Matrix start = times_transposed(rows, random_matrix(width, 4 * width, 5), 1);
  const Matrix wanted = nearest_orthogonal(start, 1);
  const auto found = orthogonal_factor({start.values.begin(), start.values.end()}, width, 1);
  double largest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(found[i]) - wanted.values[i]));
  }
  CHECK(largest < 1e-3);
}

TEST_CASE("nothing to go by gives no rotation and no trouble") {
  WideRotation nothing(8, 1);
  nothing.add(Matrix(3, 8), Matrix(3, 8));
  nothing.solve();
  CHECK(largest_difference(nothing.turned_back(Matrix(2, 8)), Matrix(2, 8)) == 0.0);
}

}  // namespace pedigree
