// Independent models with what makes naive tests fail: how often are the signs, and the
// trace, surprised? (statistics.md sections 3.3, 3.4 and 10)
#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compare/faint.h"
#include "compare/pairing.h"
#include "compare/signed_layers.h"
#include "tests/support/binomial.h"

namespace pedigree {
namespace {

constexpr std::size_t width = 24;

// A few massive features shared by all models, heavy tails, unequal lengths, and
// dead rows.
Block random_block(const char* role, int layer, std::pair<std::size_t, std::size_t> size,
                   std::mt19937& random) {
  std::student_t_distribution<float> heavy(2);
  std::bernoulli_distribution dead(0.05);
  Block block{.role = role,
              .layer = layer,
              .full_rows = size.first,
              .full_cols = size.second,
              .element_type = "F32"};
  for (std::size_t i = 0; i < size.first; ++i) block.rows.push_back(i);
  for (std::size_t j = 0; j < size.second; ++j) block.cols.push_back(j);
  for (std::size_t i = 0; i < size.first; ++i) {
    const float length = dead(random) ? 0.0F : std::abs(heavy(random)) + 0.1F;
    for (std::size_t j = 0; j < size.second; ++j) {
      const float massive = (role[0] == 'f' && j % 11 == 0) ? 40.0F : 1.0F;
      block.values.push_back(length * massive * heavy(random));
    }
  }
  return block;
}

// Neurons share a common offset in the residual features, of either sign each.
void add_common_offset(Fingerprint& sketch, std::mt19937& random) {
  std::bernoulli_distribution coin;
  for (Block& block : sketch.blocks) {
    if (block.role != "ffn.up" && block.role != "attn.v") continue;
    for (std::size_t i = 0; i < block.rows.size(); ++i) {
      const float offset = coin(random) ? 3.0F : -3.0F;
      for (std::size_t j = 0; j < block.cols.size(); j += 2) {
        block.values[i * block.cols.size() + j] += offset;
      }
    }
  }
}

Fingerprint random_model(int layers, std::mt19937& random) {
  Fingerprint sketch{.scheme = "test"};
  sketch.architecture.layers = static_cast<std::uint64_t>(layers);
  sketch.architecture.hidden = width;
  sketch.architecture.head_dim = 16;
  sketch.architecture.gated_mlp = true;
  sketch.architecture.norm = "rmsnorm";
  for (int layer = 0; layer < layers; ++layer) {
    sketch.blocks.push_back(random_block("attn.v", layer, {32, width}, random));
    sketch.blocks.push_back(random_block("ffn.down", layer, {width, 24}, random));
    sketch.blocks.push_back(random_block("ffn.gate", layer, {24, width}, random));
    sketch.blocks.push_back(random_block("ffn.up", layer, {24, width}, random));
  }
  add_common_offset(sketch, random);
  return sketch;
}

}  // namespace

TEST_CASE("signs of independent pairs agree no more often than the bound allows") {
  constexpr unsigned seed = 19631301;
  MESSAGE("seed ", seed);
  std::mt19937 random(seed);
  constexpr int depths[] = {2, 3, 6};
  constexpr int pairs_each = 700;
  constexpr double levels[] = {0.1, 0.01, 0.001, 0.0001};
  int unit_hits[std::size(levels)] = {};
  int dimension_hits[std::size(levels)] = {};
  int verdicts = 0;
  for (const int depth : depths) {
    for (int pair = 0; pair < pairs_each; ++pair) {
      const Fingerprint a = random_model(depth, random);
      const Fingerprint b = random_model(depth, random);
      const SignedLayers layers(a, b, 1);
      SignSum units;
      for (int i = 0; i < depth; ++i) units.add(layers.units(i, i));
      const SignSum dimensions = layers.dimensions(identity_map(a, b), 1);
      for (std::size_t k = 0; k < std::size(levels); ++k) {
        unit_hits[k] += log10_p(units) <= std::log10(levels[k]) ? 1 : 0;
        dimension_hits[k] += log10_p(dimensions) <= std::log10(levels[k]) ? 1 : 0;
      }
      if (pair < 100) {
        const Faint faint = sampled_signs({.sketch = a}, {.sketch = b}, 0, 1);
        verdicts += faint.log10_p || !faint.doubt.empty() ? 1 : 0;
      }
    }
  }
  constexpr int pairs = pairs_each * static_cast<int>(std::size(depths));
  for (std::size_t k = 0; k < std::size(levels); ++k) {
    CAPTURE(levels[k]);
    CAPTURE(unit_hits[k]);
    CAPTURE(dimension_hits[k]);
    CHECK(lower_bound_99(unit_hits[k], pairs) <= levels[k]);
    CHECK(lower_bound_99(dimension_hits[k], pairs) <= levels[k]);
  }
  CHECK(verdicts == 0);
}

}  // namespace pedigree
