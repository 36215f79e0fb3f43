#include "compare/two_view.h"

#include <doctest/doctest.h>

#include <algorithm>
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
  NeuronViews views{.first = Matrix(neurons, tokens), .second = Matrix(neurons, tokens)};
  for (std::size_t i = 0; i < neurons; ++i) {
    views.neurons.push_back(i);
    double across = 0;
    double size = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const double shared = normal(random);
      views.first.at(i, t) = shared + normal(random);
      views.second.at(i, t) = shared + normal(random);
      across += views.first.at(i, t) * views.second.at(i, t);
      size += views.first.at(i, t) * views.first.at(i, t);
    }
    for (std::size_t t = 0; t < tokens; ++t)
      views.second.at(i, t) -= across / size * views.first.at(i, t);
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
      result.first.at(i, t) = views.first.at(order[i], t) + normal(random);
      result.second.at(i, t) =
          -2 * (views.second.at(order[i], t) + normal(random));  // rescaled, negated
    }
  }
  return result;
}

// One block a layer.
std::vector<NeuronViews> in_layers(std::vector<NeuronViews> views) {
  for (std::size_t i = 0; i < views.size(); ++i) views[i].place.layer = static_cast<int>(i);
  return views;
}

// Block `expert` of `layer`, `count` neurons from `first` on.
NeuronViews expert_of(const NeuronViews& views, int layer, int expert, std::size_t first,
                      std::size_t count) {
  NeuronViews part{.place = {.layer = layer, .kind = FfnPlace::Kind::expert, .expert = expert},
                   .first = Matrix(count, tokens),
                   .second = Matrix(count, tokens)};
  for (std::size_t i = 0; i < count; ++i) {
    part.neurons.push_back(i);
    std::ranges::copy(views.first.row(first + i), part.first.row(i).begin());
    std::ranges::copy(views.second.row(first + i), part.second.row(i).begin());
  }
  return part;
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
  const auto base = in_layers({random_views(1), random_views(2), random_views(3)});
  const auto subject = in_layers({redealt(base[0], 0.5, 4), redealt(base[2], 0.5, 5)});
  const TwoView seen = two_view(subject, base, never, 1);
  CHECK(seen.decides);
  CHECK(seen.map == LayerMap{{0, 0}, {1, 2}});
  CHECK(seen.control <= recorded_independent_maximum);
}

TEST_CASE("two views do not decide between independent models") {
  const auto base = in_layers({random_views(1), random_views(2), random_views(3)});
  const auto subject = in_layers({random_views(11), random_views(12), random_views(13)});
  const TwoView seen = two_view(subject, base, never, 2);
  CHECK_FALSE(seen.decides);
  CHECK(seen.map.empty());
}

TEST_CASE("experts split from re-dealt layers are each found in their layer") {
  const auto base = in_layers({random_views(1), random_views(2), random_views(3)});
  std::vector<NeuronViews> subject;
  for (int layer = 0; layer < 3; ++layer) {
    const NeuronViews whole = redealt(base[static_cast<std::size_t>(layer)], 0.3, 4);
    subject.push_back(expert_of(whole, layer, 0, 0, neurons / 2));
    subject.push_back(expert_of(whole, layer, 1, neurons / 2, neurons / 2));
  }
  const TwoView seen = two_view(subject, base, never, 2);
  CHECK(seen.decides);
  CHECK(seen.map == LayerMap{{0, 0}, {1, 1}, {2, 2}});
  REQUIRE(seen.blocks.size() == 6);
  for (const BlockAgreement& block : seen.blocks) {
    CHECK(block.subject.layer == block.base.layer);
    CHECK(block.neurons.size() == neurons / 2);
  }
}

TEST_CASE("a dense layer stands against every expert that was copied from it") {
  const auto base = in_layers({random_views(1), random_views(2)});
  std::vector<NeuronViews> experts;
  for (int layer = 0; layer < 2; ++layer) {
    for (int expert = 0; expert < 3; ++expert) {
      const auto seed = static_cast<unsigned>(10 * layer + expert);
      const NeuronViews copy = redealt(base[static_cast<std::size_t>(layer)], 0.2, seed);
      experts.push_back(expert_of(copy, layer, expert, 0, neurons));
    }
  }
  const TwoView seen = two_view(base, experts, never, 2);
  CHECK(seen.decides);
  CHECK(seen.blocks.size() == 6);
  // Other experts of a layer are no control: they agree as well.
  CHECK(seen.control <= recorded_independent_maximum);
}

TEST_CASE("independent models with experts have no block in common") {
  std::vector<NeuronViews> one;
  std::vector<NeuronViews> other;
  for (int layer = 0; layer < 2; ++layer) {
    for (int expert = 0; expert < 4; ++expert) {
      const auto seed = static_cast<unsigned>(100 + 10 * layer + expert);
      one.push_back(expert_of(random_views(seed), layer, expert, 0, neurons));
      other.push_back(expert_of(random_views(seed + 1000), layer, expert, 0, neurons));
    }
  }
  const TwoView seen = two_view(one, other, never, 2);
  CHECK_FALSE(seen.decides);
  CHECK(seen.blocks.empty());
}

TEST_CASE("agreement far above chance in one layer of four leaves doubt") {
  const auto base = in_layers({random_views(1), random_views(2), random_views(3), random_views(4)});
  const auto subject =
      in_layers({redealt(base[0], 0.5, 5), random_views(12), random_views(13), random_views(14)});
  const TwoView seen = two_view(subject, base, never, 2);
  CHECK_FALSE(seen.decides);
  CHECK(seen.largest == neurons);
  CHECK(leaves_doubt(seen));
  const auto unrelated =
      in_layers({random_views(11), random_views(12), random_views(13), random_views(14)});
  CHECK_FALSE(leaves_doubt(two_view(unrelated, base, never, 2)));
}

TEST_CASE("without a layer pair that cannot correspond nothing is decided") {
  const NeuronViews base = random_views(1);
  CHECK_FALSE(two_view({redealt(base, 0.1, 2)}, {base}, never, 1).decides);
}

}  // namespace pedigree
