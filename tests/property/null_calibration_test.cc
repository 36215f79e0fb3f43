// Independent models, two thousand pairs and more: how often is each exact test
// surprised? The share at a nominal level may not be above it beyond what a 99 %
// Clopper–Pearson interval allows (statistics.md section 10).
#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compare/layer_pairs.h"
#include "compare/pairing.h"
#include "tests/support/binomial.h"

namespace pedigree {
namespace {

constexpr int pairs = 2000;
constexpr int layers = 3;
constexpr std::size_t width = 24;
constexpr std::size_t units = 24;

// Rows with what makes naive tests fail: a common offset, a few massive
// dimensions shared by all models, heavy tails, unequal row lengths.
Block random_block(const char* role, int layer, std::size_t rows, std::size_t cols,
                   std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::student_t_distribution<float> heavy(3);
  Block block{
      .role = role, .layer = layer, .full_rows = rows, .full_cols = cols, .element_type = "F32"};
  for (std::size_t i = 0; i < rows; ++i) block.rows.push_back(i);
  for (std::size_t j = 0; j < cols; ++j) block.cols.push_back(j);
  for (std::size_t i = 0; i < rows; ++i) {
    const float length = std::abs(heavy(random)) + 0.1F;
    for (std::size_t j = 0; j < cols; ++j) {
      const float massive = j % 7 == 0 ? 30.0F : 1.0F;
      block.values.push_back(length * massive * (0.5F + heavy(random)));
    }
  }
  return block;
}

Fingerprint random_fingerprint(std::mt19937& random) {
  Fingerprint sketch{.scheme = "test"};
  sketch.architecture.layers = layers;
  sketch.architecture.head_dim = 16;
  for (int layer = 0; layer < layers; ++layer) {
    sketch.blocks.push_back(random_block("attn.v", layer, 32, width, random));
    sketch.blocks.push_back(random_block("ffn.down", layer, width, units, random));
    sketch.blocks.push_back(random_block("ffn.gate", layer, units, width, random));
    sketch.blocks.push_back(random_block("ffn.up", layer, units, width, random));
  }
  return sketch;
}

}  // namespace

TEST_CASE("two thousand independent pairs surprise the exact tests no more than promised") {
  constexpr unsigned seed = 20231106;
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  constexpr double levels[] = {0.2, 0.05, 0.01, 0.001};
  int neuron_hits[std::size(levels)] = {};
  int value_hits[std::size(levels)] = {};
  for (int pair = 0; pair < pairs; ++pair) {
    const Fingerprint a = random_fingerprint(random);
    const Fingerprint b = random_fingerprint(random);
    const LayerMap map = identity_map(a, b);
    const LayerPairs layers(a, b);
    const auto neurons = log10_p(pooled(map, [&](int i, int j) { return layers.neurons(i, j); }));
    const auto values = log10_p(pooled(map, [&](int i, int j) { return layers.values(i, j); }));
    for (std::size_t k = 0; k < std::size(levels); ++k) {
      neuron_hits[k] += neurons <= std::log10(levels[k]) ? 1 : 0;
      value_hits[k] += values <= std::log10(levels[k]) ? 1 : 0;
    }
  }
  for (std::size_t k = 0; k < std::size(levels); ++k) {
    CAPTURE(levels[k]);
    CAPTURE(neuron_hits[k]);
    CAPTURE(value_hits[k]);
    CHECK(lower_bound_99(neuron_hits[k], pairs) <= levels[k]);
    CHECK(lower_bound_99(value_hits[k], pairs) <= levels[k]);
  }
}

}  // namespace pedigree
