#include "compare/two_view.h"

#include <doctest/doctest.h>

#include <random>

namespace pedigree {
namespace {

constexpr std::size_t neurons = 120;
constexpr std::size_t tokens = 96;

// Gate and up responses that share half of their size within a neuron, as
// trained ones do; the regression has to take that out.
NeuronViews random_views(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  NeuronViews views{.place = {.layer = static_cast<int>(seed)},
                    .gate = Matrix(neurons, tokens),
                    .up = Matrix(neurons, tokens)};
  for (std::size_t i = 0; i < neurons; ++i) {
    views.neurons.push_back(i);
    double across = 0;
    double size = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const double shared = normal(random);
      views.gate.at(i, t) = shared + normal(random);
      views.up.at(i, t) = shared + normal(random);
      across += views.gate.at(i, t) * views.up.at(i, t);
      size += views.gate.at(i, t) * views.gate.at(i, t);
    }
    for (std::size_t t = 0; t < tokens; ++t)
      views.up.at(i, t) -= across / size * views.gate.at(i, t);
  }
  return views;
}

NeuronViews redealt(const NeuronViews& views, double noise, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, noise);
  const auto order = seeded_permutation(neurons, seed);
  NeuronViews result = views;
  for (std::size_t i = 0; i < neurons; ++i) {
    for (std::size_t t = 0; t < tokens; ++t) {
      result.gate.at(i, t) = views.gate.at(order[i], t) + normal(random);
      result.up.at(i, t) = -2 * (views.up.at(order[i], t) + normal(random));  // rescaled, negated
    }
  }
  return result;
}

bool never(int /*side*/, int /*i*/, int /*j*/) { return false; }

}  // namespace

TEST_CASE("independent layers agree about as often as chance") {
  const auto pairs = agreeing_neurons(random_views(1), random_views(2));
  CHECK(pairs.size() <= recorded_independent_maximum);
}

TEST_CASE("re-dealt and negated neurons are found by both views") {
  const NeuronViews base = random_views(1);
  const auto order = seeded_permutation(neurons, 9);
  const auto pairs = agreeing_neurons(redealt(base, 0.3, 9), base);
  CHECK(pairs.size() == neurons);
  for (const auto& [mine, theirs] : pairs) CHECK(order[mine] == theirs);
}

TEST_CASE("two views decide for re-dealt layers and name the layer map") {
  const std::vector<NeuronViews> base = {random_views(1), random_views(2), random_views(3)};
  const std::vector<NeuronViews> subject = {redealt(base[0], 0.5, 4), redealt(base[2], 0.5, 5)};
  const TwoView seen = two_view(subject, base, never, 1);
  CHECK(seen.decides);
  CHECK(seen.map == LayerMap{{0, 0}, {1, 2}});
  CHECK(seen.control <= recorded_independent_maximum);
}

TEST_CASE("two views do not decide between independent models") {
  const std::vector<NeuronViews> base = {random_views(1), random_views(2), random_views(3)};
  const std::vector<NeuronViews> subject = {random_views(11), random_views(12), random_views(13)};
  const TwoView seen = two_view(subject, base, never, 2);
  CHECK_FALSE(seen.decides);
  CHECK(seen.map.empty());
}

TEST_CASE("without a layer pair that cannot correspond nothing is decided") {
  const NeuronViews base = random_views(1);
  CHECK_FALSE(two_view({redealt(base, 0.1, 2)}, {base}, never, 1).decides);
}

}  // namespace pedigree
