#include "compare/delta_noise.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compare/low_rank.h"

namespace pedigree {
namespace {

constexpr std::size_t side = 64;

Matrix normal_matrix(double sigma, std::mt19937& random) {
  std::normal_distribution<double> normal(0, sigma);
  Matrix matrix(side, side);
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

Change change_of(int layer, Matrix base, const Matrix& delta) {
  Change change{.role = "ffn.up", .subject_layer = layer, .base_layer = layer, .base = base};
  change.subject = std::move(base);
  for (std::size_t i = 0; i < delta.values.size(); ++i) change.subject.values[i] += delta.values[i];
  change.subject_type = find_element_type("F32");
  return change;
}

std::vector<Change> noisy(double share, std::mt19937& random, int count = 8) {
  std::vector<Change> all;
  for (int layer = 0; layer < count; ++layer) {
    const double size = 0.02 * (1 + layer);
    all.push_back(
        change_of(layer, normal_matrix(size, random), normal_matrix(size * share, random)));
  }
  return all;
}

}  // namespace

TEST_CASE("added Gaussian noise is told, whatever share of the weights it has") {
  std::mt19937 random(1);
  for (const double share : {0.001, 0.05, 0.5}) {
    CAPTURE(share);
    const auto noise = delta_noise(noisy(share, random), false);
    REQUIRE(noise.has_value());
    CHECK(noise->white);
    CHECK(noise->largest_edge_ratio < 1.1);
    CHECK(noise->kurtosis == doctest::Approx(3).epsilon(0.1));
  }
}

TEST_CASE("a hundred noisy copies are all told, and none of a hundred with one strong direction") {
  std::mt19937 random(2);
  int white = 0;
  int structured = 0;
  for (int trial = 0; trial < 100; ++trial) {
    auto all = noisy(0.05, random);
    white += delta_noise(all, false)->white ? 1 : 0;
    // A direction that holds a hundredth of one matrix's change.
    Change& change = all[3];
    std::normal_distribution<double> normal;
    std::vector<double> u(side);
    std::vector<double> v(side);
    for (std::size_t i = 0; i < side; ++i) {
      u[i] = normal(random) / std::sqrt(side);
      v[i] = normal(random) / std::sqrt(side);
    }
    const double size = 0.08 * 0.05 * side * 0.45;
    for (std::size_t i = 0; i < side; ++i) {
      for (std::size_t j = 0; j < side; ++j) change.subject.at(i, j) += size * u[i] * v[j];
    }
    structured += delta_noise(all, false)->white ? 0 : 1;
  }
  CHECK(white >= 99);
  CHECK(structured >= 99);
}

TEST_CASE("shrinking weights, other sizes in every role and flat distributions are no noise") {
  std::mt19937 random(3);
  auto shrunk = noisy(0.05, random);
  for (Change& change : shrunk) {
    for (std::size_t i = 0; i < change.base.values.size(); ++i) {
      change.subject.values[i] -= 0.01 * change.base.values[i];
    }
  }
  CHECK_FALSE(delta_noise(shrunk, false)->white);

  std::vector<Change> uneven;
  for (int layer = 0; layer < 8; ++layer) {
    const double own = 0.02 * (1 + layer % 3);
    uneven.push_back(change_of(layer, normal_matrix(0.02 * (1 + layer), random),
                               normal_matrix(0.05 * own, random)));
  }
  CHECK_FALSE(delta_noise(uneven, false)->white);

  std::uniform_real_distribution<double> flat(-0.001, 0.001);
  std::vector<Change> rounded;
  for (int layer = 0; layer < 8; ++layer) {
    Matrix delta(side, side);
    for (double& value : delta.values) value = flat(random);
    rounded.push_back(change_of(layer, normal_matrix(0.02, random), delta));
  }
  CHECK_FALSE(delta_noise(rounded, false)->white);
}

TEST_CASE("a change no larger than rounding, few matrices or an untouched one say nothing") {
  std::mt19937 random(4);
  auto all = noisy(0.001, random);
  for (Change& change : all) change.subject_type = find_element_type("BF16");
  CHECK_FALSE(delta_noise(all, false).has_value());
  CHECK_FALSE(delta_noise(noisy(0.0003, random), true).has_value());
  CHECK_FALSE(delta_noise(noisy(0.05, random, 5), false).has_value());
  auto touched = noisy(0.05, random);
  touched[2].subject = touched[2].base;
  touched[2].equal = true;
  CHECK_FALSE(delta_noise(touched, false).has_value());
}

}  // namespace pedigree
