#include "compare/dense.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compare/origin.h"

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

Matrix identity(std::size_t size) {
  Matrix matrix(size, size);
  for (std::size_t i = 0; i < size; ++i) matrix.at(i, i) = 1;
  return matrix;
}

}  // namespace

TEST_CASE("ranks of ties are shared and constants correlate with nothing") {
  // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: covariance 4.5, variances 4.5 and 5.
  const std::vector<double> tied = {1, 2, 2, 3};
  const std::vector<double> rising = {10, 20, 30, 40};
  CHECK(rank_correlation(tied, rising) == doctest::Approx(4.5 / std::sqrt(4.5 * 5)));
  CHECK(rank_correlation(rising, rising) == doctest::Approx(1));
  CHECK(rank_correlation(std::vector<double>(4, 7.0), rising) == 0);
}

TEST_CASE("the nearest orthogonal matrix undoes a stretch of the axes") {
  const Matrix rotation = nearest_orthogonal(random_matrix(24, 24, 1), 1);
  CHECK(largest_difference(times_transposed(rotation, rotation, 1), identity(24)) < 1e-8);
  Matrix spread(24, 24);
  for (std::size_t i = 0; i < 24; ++i) spread.at(i, i) = 0.1 + static_cast<double>(i);
  // (R Rᵀ S R) has the polar factor R when S is symmetric and positive.
  const Matrix stretched = times_transposed(spread, transposed(rotation), 1);
  CHECK(largest_difference(nearest_orthogonal(stretched, 1), rotation) < 1e-6);
}

TEST_CASE("a product does not depend on the number of threads") {
  const Matrix a = random_matrix(130, 120, 2);
  const Matrix b = random_matrix(110, 120, 3);
  CHECK(times_transposed(a, b, 1).values == times_transposed(a, b, 4).values);
}

TEST_CASE("a matrix keeps all its directions alike against itself") {
  const Matrix own = random_matrix(64, 48, 4);
  CHECK(spectrum_ratio(own, own) == doctest::Approx(1));
}

TEST_CASE("directions kept only where they are weak give a small ratio") {
  // Diagonal with 32 values; the other model lost the strong quarter.
  Matrix own(32, 32);
  Matrix other(32, 32);
  for (std::size_t i = 0; i < 32; ++i) {
    own.at(i, i) = i < 8 ? 10.0 + static_cast<double>(i) : 1.0 + 0.01 * static_cast<double>(i);
    other.at(i, i) = i < 8 ? 0.3 * own.at(i, i) : own.at(i, i);
  }
  CHECK(spectrum_ratio(own, other) == doctest::Approx(0.3));
}

TEST_CASE("descent needs gains, spectra and gains that follow the rows") {
  Origin origin{.measured = true, .gains = 0.85, .spectrum = 0.97, .row_cosine = 0.8};
  decide(origin);
  CHECK(origin.descent);
  origin.gains = 0.30;  // a shared seed trained on the same data came to this
  decide(origin);
  CHECK_FALSE(origin.descent);
  origin.gains = 0.61;  // two short trainings of one seed: like rows, unlike gains
  origin.row_cosine = 0.94;
  decide(origin);
  CHECK_FALSE(origin.descent);
  origin.gains.reset();
  decide(origin);
  CHECK_FALSE(origin.descent);
}

}  // namespace pedigree
