#include "compare/neuron_lookup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace pedigree {
namespace {

constexpr std::size_t neurons = 96;
constexpr std::size_t dimensions = 64;

Matrix random_rows(std::size_t rows, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Matrix matrix(rows, dimensions);
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

NeuronRows random_neurons(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  NeuronRows rows{.gate = random_rows(count, random),
                  .up = random_rows(count, random),
                  .down = random_rows(count, random)};
  for (std::size_t i = 0; i < count; ++i) rows.neurons.push_back(i);
  return rows;
}

// Neurons `chosen` of a block, each trained on to a cosine, up and down negated together.
NeuronRows taken(const NeuronRows& from, const std::vector<std::size_t>& chosen, double cosine,
                 unsigned seed) {
  NeuronRows rows = random_neurons(chosen.size(), seed);
  const double sine = std::sqrt(1 - cosine * cosine);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const double sign = i % 2 == 0 ? 1 : -1;
    for (std::size_t j = 0; j < dimensions; ++j) {
      const std::size_t k = chosen[i];
      rows.gate.at(i, j) = cosine * from.gate.at(k, j) + sine * rows.gate.at(i, j);
      rows.up.at(i, j) = sign * (cosine * from.up.at(k, j) + sine * rows.up.at(i, j));
      rows.down.at(i, j) = sign * (cosine * from.down.at(k, j) + sine * rows.down.at(i, j));
    }
  }
  return rows;
}

std::vector<std::size_t> first_of(const std::vector<std::size_t>& order, std::size_t count) {
  return {order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

TEST_CASE("an expert cut from a block is found neuron by neuron") {
  const NeuronRows block = random_neurons(neurons, 1);
  const auto order = seeded_permutation(neurons, 5);
  const Lookup found = look_up(taken(block, first_of(order, 24), 0.8, 2), block);
  REQUIRE(found.pairs.size() == 24);
  for (const auto& [mine, theirs] : found.pairs) CHECK(theirs == order[mine]);
  CHECK(found.held_out.matched == dimensions / 2);
  // 1/32! for the 32 dimensions that chose nothing
  CHECK(log10_p(found.held_out) == doctest::Approx(-35.42).epsilon(1e-3));
}

TEST_CASE("neurons made anew are not found among the old ones") {
  const NeuronRows block = random_neurons(neurons, 1);
  const auto order = seeded_permutation(neurons, 6);
  NeuronRows half = taken(block, first_of(order, 40), 0.9, 3);
  const NeuronRows fresh = random_neurons(40, 99);
  for (std::size_t i = 20; i < 40; ++i) {
    for (auto part : {&NeuronRows::gate, &NeuronRows::up, &NeuronRows::down}) {
      std::ranges::copy((fresh.*part).row(i), (half.*part).row(i).begin());
    }
  }
  const Lookup found = look_up(half, block);
  CHECK(found.looked_up == 40);
  CHECK(found.pairs.size() == 20);
  CHECK(found.held_out.matched == dimensions / 2);
}

TEST_CASE("partners found by likeness are no evidence where the other half was re-dealt") {
  // The choosing half is equal to the bit; only the numbers of the other half are not.
  const NeuronRows block = random_neurons(neurons, 1);
  std::size_t matched = 0;
  for (unsigned seed = 0; seed < 200; ++seed) {
    NeuronRows other = block;
    const auto order = seeded_permutation(dimensions / 2, seed);
    for (auto part : {&NeuronRows::gate, &NeuronRows::up, &NeuronRows::down}) {
      for (std::size_t i = 0; i < neurons; ++i) {
        for (std::size_t j = 0; j < dimensions / 2; ++j) {
          (other.*part).at(i, 2 * j + 1) = (block.*part).at(i, 2 * order[j] + 1);
        }
      }
    }
    matched += look_up(other, block).held_out.matched;
  }
  // One fixed point is expected of a random order, and 200 of 200: 5 deviations are 71.
  CHECK(matched > 129);
  CHECK(matched < 271);
}

TEST_CASE("unrelated blocks share no neuron") {
  std::size_t found = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Lookup lookup =
        look_up(random_neurons(48, 100 + seed), random_neurons(neurons, 200 + seed));
    found += lookup.pairs.size();
    CHECK_FALSE(stands_out(lookup.held_out, 20));
  }
  CHECK(found == 0);
}

TEST_CASE("empty rows and a block of one neuron find nothing") {
  NeuronRows empty = random_neurons(20, 1);
  for (auto part : {&NeuronRows::gate, &NeuronRows::up, &NeuronRows::down}) {
    std::ranges::fill((empty.*part).values, 0.0);
  }
  const Lookup found = look_up(empty, random_neurons(neurons, 2));
  CHECK(found.pairs.empty());
  CHECK(log10_p(found.held_out) == 0);
  CHECK(look_up(random_neurons(4, 1), random_neurons(1, 2)).held_out.witnesses == 0);
}

TEST_CASE("blocks without a gate are looked up by up and down") {
  NeuronRows block = random_neurons(neurons, 1);
  block.gate = {};
  NeuronRows few = block;
  const Lookup found = look_up(few, block);
  CHECK(found.pairs.size() == neurons);
}

}  // namespace pedigree
