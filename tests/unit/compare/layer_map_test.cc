// Layer maps of models made by stacking, dropping and repeating another's layers, from
// fingerprints alone.
#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "compare/compare.h"
#include "compare/witness.h"

namespace pedigree {
namespace {

constexpr std::size_t side = 32;

using Order = std::vector<int>;

Block random_block(const char* role, int layer, std::size_t rows, std::mt19937& random) {
  std::normal_distribution<float> normal(0, 0.05F);
  Block block{
      .role = role, .layer = layer, .full_rows = rows, .full_cols = side, .element_type = "F32"};
  for (std::size_t i = 0; i < rows; ++i) block.rows.push_back(i);
  for (std::size_t j = 0; j < side; ++j) block.cols.push_back(j);
  for (std::size_t i = 0; i < rows * side; ++i) block.values.push_back(normal(random));
  return block;
}

Fingerprint random_model(int layers, unsigned seed) {
  std::mt19937 random(seed);
  std::lognormal_distribution<float> gain(0, 0.3F);
  Fingerprint sketch{.scheme = "test", .name = "model"};
  sketch.architecture.layers = static_cast<std::uint64_t>(layers);
  sketch.architecture.hidden = side;
  sketch.architecture.ffn = side;
  sketch.architecture.head_dim = side;
  sketch.architecture.gated_mlp = true;
  sketch.architecture.norm = "rmsnorm";
  for (int layer = 0; layer < layers; ++layer) {
    for (const char* role : {"attn.v", "ffn.down", "ffn.gate", "ffn.up"}) {
      sketch.blocks.push_back(random_block(role, layer, side, random));
    }
    for (const char* role : {"attn.norm", "ffn.norm"}) {
      Gains gains{.role = role, .layer = layer, .full_size = side, .element_type = "F32"};
      for (std::size_t i = 0; i < side; ++i) gains.values.push_back(gain(random));
      sketch.gains.push_back(gains);
    }
  }
  return sketch;
}

// `base`'s layers in this order, each value moved by `noise` of its size.
Fingerprint stacked(const Fingerprint& base, const Order& order, float noise) {
  std::mt19937 random(99);
  std::normal_distribution<float> normal(0, 1);
  Fingerprint sketch{.scheme = "test", .name = "stacked", .architecture = base.architecture};
  sketch.architecture.layers = order.size();
  for (std::size_t layer = 0; layer < order.size(); ++layer) {
    for (const Block& from : base.blocks) {
      if (from.layer != order[layer]) continue;
      Block block = from;
      block.layer = static_cast<int>(layer);
      for (float& value : block.values) value += noise * 0.05F * normal(random);
      sketch.blocks.push_back(std::move(block));
    }
    for (const Gains& from : base.gains) {
      if (from.layer != order[layer]) continue;
      Gains gains = from;
      gains.layer = static_cast<int>(layer);
      sketch.gains.push_back(std::move(gains));
    }
  }
  return sketch;
}

LayerMap wanted_map(const Order& order) {
  LayerMap map;
  for (std::size_t i = 0; i < order.size(); ++i) map.emplace_back(static_cast<int>(i), order[i]);
  return map;
}

struct Made {
  const char* what;
  int layers;
  Order order;
  const char* relation;
};

}  // namespace

TEST_CASE("layers dropped, repeated, interleaved and stacked from several places are mapped") {
  const Made all[] = {
      {"every other layer", 12, {0, 2, 4, 6, 8, 10}, "pruned"},
      {"the last quarter dropped", 12, {0, 1, 2, 3, 4, 5, 6, 7, 8}, "pruned"},
      {"the first dropped", 6, {1, 2, 3, 4, 5}, "pruned"},
      {"up-scaled as SOLAR", 8, {0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7}, "depth-upscaled"},
      {"self-merge of three slices", 8, {0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7}, "depth-upscaled"},
      {"each layer twice", 5, {0, 0, 1, 1, 2, 2, 3, 3, 4, 4}, "depth-upscaled"},
      {"pruned and repeated, as deep as before", 6, {0, 1, 2, 1, 2, 5}, "depth-upscaled"},
  };
  for (const Made& made : all) {
    for (const float noise : {0.0F, 0.1F, 0.3F}) {
      CAPTURE(made.what);
      CAPTURE(noise);
      const Fingerprint base = random_model(made.layers, 5);
      const Fingerprint child = stacked(base, made.order, noise);
      const Comparison found = compare({.sketch = child}, {.sketch = base});
      CHECK(found.layer_map == wanted_map(made.order));
      CHECK(found.verdict.derived == "yes");
      CHECK(found.verdict.relation == made.relation);
      CHECK(found.verdict.direction == "base-is-parent");
      const Comparison turned = compare({.sketch = base}, {.sketch = child});
      CHECK(turned.verdict.relation == made.relation);
      CHECK(turned.verdict.direction == "subject-is-parent");
    }
  }
}

TEST_CASE("a reversed model is mapped, and its order alone says nothing of the direction") {
  const Fingerprint base = random_model(8, 6);
  Order order(8);
  std::iota(order.rbegin(), order.rend(), 0);
  const Comparison found = compare({.sketch = stacked(base, order, 0.1F)}, {.sketch = base});
  CHECK(found.layer_map == wanted_map(order));
  CHECK(found.verdict.derived == "yes");
  CHECK(found.verdict.direction == "undetermined");
}

TEST_CASE("a hundred and twenty-six layers pay for their map and are still told") {
  const Fingerprint base = random_model(126, 7);
  Order order;
  for (int i = 0; i < 126; ++i) {
    if (i % 3 != 1) order.push_back(i);
  }
  const Comparison found = compare({.sketch = stacked(base, order, 0.3F)}, {.sketch = base});
  CHECK(found.layer_map == wanted_map(order));
  CHECK(found.verdict.relation == "pruned");
  CHECK(*found.verdict.log10_p < -100);
}

}  // namespace pedigree
