#include "compare/assignment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace pedigree {
namespace {

Matrix random_matrix(std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix matrix(rows, cols);
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

double total_of(const Matrix& similarity, const std::vector<std::size_t>& pairing) {
  double total = 0;
  for (std::size_t i = 0; i < pairing.size(); ++i) total += similarity.at(i, pairing[i]);
  return total;
}

double best_total_by_trying_all(const Matrix& similarity) {
  std::vector<std::size_t> order(similarity.cols);
  std::iota(order.begin(), order.end(), std::size_t{0});
  double best = -1e300;
  do {
    double total = 0;
    for (std::size_t i = 0; i < similarity.rows; ++i) total += similarity.at(i, order[i]);
    best = std::max(best, total);
  } while (std::ranges::next_permutation(order).found);
  return best;
}

}  // namespace

TEST_CASE("the assignment is as good as the best of all, square or not") {
  for (unsigned seed = 0; seed < 60; ++seed) {
    const std::size_t rows = 1 + seed % 6;
    const Matrix similarity = random_matrix(rows, rows + seed % 2, seed);
    const auto pairing = best_assignment(similarity, seed);
    CHECK(std::set(pairing.begin(), pairing.end()).size() == rows);
    CHECK(total_of(similarity, pairing) == doctest::Approx(best_total_by_trying_all(similarity)));
  }
}

TEST_CASE("the assignment does not depend on the relabelling's seed") {
  const Matrix similarity = random_matrix(40, 40, 7);
  const auto pairing = best_assignment(similarity, 1);
  for (std::uint64_t seed = 2; seed < 10; ++seed)
    CHECK(best_assignment(similarity, seed) == pairing);
}

TEST_CASE("a hidden permutation is found among noise") {
  const auto hidden = seeded_permutation(100, 5);
  Matrix similarity = random_matrix(100, 100, 3);
  for (std::size_t i = 0; i < 100; ++i) similarity.at(i, hidden[i]) += 20;
  CHECK(best_assignment(similarity, 9) == hidden);
}

TEST_CASE("units that are all alike count as no match") {
  CHECK(matched_count(Matrix(32, 32), 1) == 0);
}

TEST_CASE("a unit whose own partner ties with another counts as a miss") {
  Matrix similarity(20, 20);
  for (std::size_t i = 0; i < 20; ++i) similarity.at(i, i) = 1;
  similarity.at(3, 4) = 1;
  CHECK(matched_count(similarity, 1) == 19);
}

TEST_CASE("a seeded permutation holds every index once") {
  const auto order = seeded_permutation(1000, 42);
  CHECK(std::set(order.begin(), order.end()).size() == 1000);
  CHECK(order == seeded_permutation(1000, 42));
  CHECK(order != seeded_permutation(1000, 43));
}

}  // namespace pedigree
