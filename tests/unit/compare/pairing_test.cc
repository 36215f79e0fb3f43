#include "compare/pairing.h"

#include <doctest/doctest.h>

#include <random>

#include "compare/layer_pairs.h"
#include "compare/power.h"

namespace pedigree {
namespace {

constexpr std::size_t units = 64;
constexpr std::size_t width = 64;

Block random_block(const char* role, std::size_t rows, std::size_t cols, std::mt19937& random) {
  std::normal_distribution<float> normal;
  Block block{.role = role, .full_rows = rows, .full_cols = cols, .element_type = "F32"};
  for (std::size_t i = 0; i < rows; ++i) block.rows.push_back(i);
  for (std::size_t j = 0; j < cols; ++j) block.cols.push_back(j);
  for (std::size_t i = 0; i < rows * cols; ++i) block.values.push_back(normal(random));
  return block;
}

using Layers = std::vector<std::vector<Block>>;

Layers random_layers(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Layers layers(count);
  for (auto& layer : layers) {
    layer.push_back(random_block("ffn.down", width, units, random));
    layer.push_back(random_block("ffn.gate", units, width, random));
    layer.push_back(random_block("ffn.up", units, width, random));
  }
  return layers;
}

Fingerprint fingerprint_of(const Layers& layers) {
  Fingerprint sketch{.scheme = "test"};
  sketch.architecture.layers = layers.size();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (Block block : layers[i]) {
      block.layer = static_cast<int>(i);
      sketch.blocks.push_back(std::move(block));
    }
  }
  return sketch;
}

// cosine · own + sine · noise
Layers trained_on(Layers layers, float cosine, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const float sine = std::sqrt(1 - cosine * cosine);
  for (auto& layer : layers) {
    for (Block& block : layer) {
      for (float& value : block.values) value = cosine * value + sine * normal(random);
    }
  }
  return layers;
}

LayerMap map_between(const Fingerprint& subject, const Fingerprint& base) {
  const LayerPairs pairs(subject, base);
  return best_layer_map(cell_table(
      static_cast<int>(subject.architecture.layers), static_cast<int>(base.architecture.layers),
      [&](int a, int b) { return pairs.neurons(a, b, true); }, 2));
}

bool is_ruled_out(const Fingerprint& subject, const Fingerprint& base) {
  std::vector<PreparedRows> owned;
  return plainly_unpaired(prepared_views(*neuron_witness(subject, 0, base, 0), owned));
}

}  // namespace

TEST_CASE("a model pairs every neuron with its own number") {
  const Fingerprint model = fingerprint_of(random_layers(3, 1));
  const Cell cell = LayerPairs(model, model).neurons(1, 1);
  CHECK(cell.matched == units);
  CHECK(log10_p(cell) == doctest::Approx(-89.1034).epsilon(1e-5));
}

TEST_CASE("up and down rows may be rescaled and negated without losing a match") {
  const Layers base = random_layers(1, 2);
  Layers subject = base;
  std::mt19937 random(3);
  std::lognormal_distribution<float> factor(0, 1);
  for (std::size_t i = 0; i < units; ++i) {
    const float c = (i % 2 == 0 ? -1.0F : 1.0F) * factor(random);
    for (std::size_t j = 0; j < width; ++j) {
      subject[0][2].values[i * width + j] *= c;
      subject[0][0].values[j * units + i] /= c;
    }
  }
  const Fingerprint a = fingerprint_of(subject);
  const Fingerprint b = fingerprint_of(base);
  CHECK(LayerPairs(a, b).neurons(0, 0).matched == units);
}

TEST_CASE("dropped and repeated layers are mapped, and noise does not hide them") {
  const Layers base = random_layers(5, 4);
  const Layers trained = trained_on(base, 0.6F, 5);
  const Layers subject = {trained[0], trained[2], trained[3], trained[2], trained[4]};
  CHECK(map_between(fingerprint_of(subject), fingerprint_of(base)) ==
        LayerMap{{0, 0}, {1, 2}, {2, 3}, {3, 2}, {4, 4}});
}

TEST_CASE("independent models have no layer map") {
  CHECK(map_between(fingerprint_of(random_layers(6, 6)), fingerprint_of(random_layers(6, 7)))
            .empty());
}

TEST_CASE("the screen rules out almost all unrelated cells and no related one") {
  int ruled_out = 0;
  int missed = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    const Layers base = random_layers(1, 1000 + seed);
    const Fingerprint a = fingerprint_of(base);
    const Fingerprint unrelated = fingerprint_of(random_layers(1, 2000 + seed));
    const Fingerprint related = fingerprint_of(trained_on(base, 0.15F, seed));
    ruled_out += is_ruled_out(unrelated, a) ? 1 : 0;
    missed += is_ruled_out(related, a) ? 1 : 0;
  }
  CHECK(ruled_out >= 95);
  CHECK(missed == 0);
}

TEST_CASE("a power statement names a likeness that is then found") {
  const Layers base = random_layers(4, 8);
  const Fingerprint a = fingerprint_of(base);
  const Fingerprint b = fingerprint_of(random_layers(4, 9));
  std::vector<Witness> witnesses;
  for (int i = 0; i < 4; ++i) witnesses.push_back(*neuron_witness(b, i, a, i));
  const auto power = power_of(witnesses, -9);
  REQUIRE(power.has_value());
  CHECK(*power < 0.4);
  const Fingerprint found = fingerprint_of(trained_on(base, static_cast<float>(*power), 10));
  const LayerPairs pairs(found, a);
  const Cell cell =
      pooled(identity_map(found, a), [&](int i, int j) { return pairs.neurons(i, j); });
  CHECK(log10_p(cell) <= -9);
}

TEST_CASE("without witnesses there is no power") { CHECK_FALSE(power_of({}, -9).has_value()); }

}  // namespace pedigree
