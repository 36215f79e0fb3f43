#include "compare/sign_symmetry.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "compare/faint.h"
#include "compare/layer_pairs.h"
#include "compare/search.h"
#include "compare/signed_layers.h"
#include "compare/trace.h"

namespace pedigree {
namespace {

constexpr std::size_t units = 64;
constexpr std::size_t width = 64;

Block random_block(const char* role, int layer, std::size_t rows, std::size_t cols,
                   std::mt19937& random) {
  std::normal_distribution<float> normal;
  Block block{
      .role = role, .layer = layer, .full_rows = rows, .full_cols = cols, .element_type = "F32"};
  for (std::size_t i = 0; i < rows; ++i) block.rows.push_back(i);
  for (std::size_t j = 0; j < cols; ++j) block.cols.push_back(j);
  for (std::size_t i = 0; i < rows * cols; ++i) block.values.push_back(normal(random));
  return block;
}

Fingerprint random_model(std::size_t layers, unsigned seed) {
  std::mt19937 random(seed);
  Fingerprint sketch{.scheme = "test"};
  sketch.architecture.layers = layers;
  sketch.architecture.hidden = width;
  sketch.architecture.head_dim = 32;
  sketch.architecture.gated_mlp = true;
  sketch.architecture.norm = "rmsnorm";
  for (int layer = 0; layer < static_cast<int>(layers); ++layer) {
    sketch.blocks.push_back(random_block("attn.v", layer, 64, width, random));
    sketch.blocks.push_back(random_block("ffn.down", layer, width, units, random));
    sketch.blocks.push_back(random_block("ffn.gate", layer, units, width, random));
    sketch.blocks.push_back(random_block("ffn.up", layer, units, width, random));
  }
  return sketch;
}

// `own` with every value mixed to `cosine` with the base's; layers from the base's `order`.
Fingerprint descended(const Fingerprint& base, Fingerprint own, float cosine,
                      std::vector<int> order = {}) {
  const float sine = std::sqrt(1 - cosine * cosine);
  for (Block& block : own.blocks) {
    const int from = order.empty() ? block.layer : order[static_cast<std::size_t>(block.layer)];
    const Block* theirs = base.block(block.role, from);
    for (std::size_t i = 0; i < block.values.size(); ++i) {
      block.values[i] = cosine * theirs->values[i] + sine * block.values[i];
    }
  }
  return own;
}

Faint faint_between(const Fingerprint& subject, const Fingerprint& base) {
  return sampled_signs({.sketch = subject}, {.sketch = base}, 0, 1);
}

const Evidence* find(const Faint& faint, std::string_view statistic) {
  const auto at = std::ranges::find(faint.evidence, statistic, &Evidence::statistic);
  return at == faint.evidence.end() ? nullptr : &*at;
}

}  // namespace

TEST_CASE("the bound is Hoeffding's: five equal likenesses give exp(-5/2)") {
  SignSum sum;
  for (int i = 0; i < 5; ++i) sum.add(0.3);
  CHECK(sum.deviations() == doctest::Approx(std::sqrt(5.0)));
  CHECK(log10_p(sum) == doctest::Approx(-2.5 / std::log(10.0)));
  CHECK(log10_p(sum, 0.5) == doctest::Approx(0.5 - 2.5 / std::log(10.0)));
}

TEST_CASE("units that are unlike on the whole have p one, and empty units do not count") {
  SignSum sum;
  sum.add(-1);
  sum.add(0.5);
  sum.add(0);
  CHECK(sum.units == 2);
  CHECK(log10_p(sum) == 0);
  CHECK(SignSum{}.deviations() == 0);
  CHECK(log10_p(SignSum{}) == 0);
}

TEST_CASE("negating any unit only negates its row, whatever is done to make rows ready") {
  std::mt19937 random(1);
  std::student_t_distribution<double> heavy(2);
  Matrix raw(20, 30);
  for (double& value : raw.values) value = heavy(random);
  for (std::size_t i = 0; i < raw.rows; ++i) raw.at(i, 3) *= 100;
  for (double& value : raw.row(5)) value = 0;
  Matrix flipped = raw;
  for (std::size_t i = 0; i < raw.rows; i += 2) {
    for (double& value : flipped.row(i)) value = -value;
  }
  const PreparedRows a = signed_rows(raw);
  const PreparedRows b = signed_rows(flipped);
  for (std::size_t i = 0; i < raw.rows; ++i) {
    for (std::size_t j = 0; j < raw.cols; ++j) {
      CHECK(b.row(i)[j] == (i % 2 == 0 ? -a.row(i)[j] : a.row(i)[j]));
    }
  }
}

TEST_CASE("a cosine that pairing cannot see is found by its signs") {
  const Fingerprint base = random_model(8, 2);
  const Fingerprint child = descended(base, random_model(8, 3), 0.05F);
  const LayerPairs pairs(child, base);
  const Cell paired =
      pooled(identity_map(child, base), [&](int i, int j) { return pairs.neurons(i, j); });
  CHECK(log10_p(paired) > -3);
  const Faint faint = faint_between(child, base);
  REQUIRE(faint.log10_p.has_value());
  CHECK(*faint.log10_p <= certain);
  CHECK(faint.stage == "aligned");
  CHECK(faint.supporting >= 3);
  CHECK(find(faint, "unit-signs/1")->null == Evidence::Null::bound);
}

TEST_CASE("layers that were moved are found by their signs, and the map is paid for") {
  const Fingerprint base = random_model(6, 4);
  const std::vector<int> order = {5, 3, 0, 1, 4, 2};
  const Fingerprint child = descended(base, random_model(6, 5), 0.15F, order);
  const Faint faint = faint_between(child, base);
  REQUIRE(faint.log10_p.has_value());
  CHECK(faint.stage == "layer-map");
  CHECK(faint.map == LayerMap{{0, 5}, {1, 3}, {2, 0}, {3, 1}, {4, 4}, {5, 2}});
}

TEST_CASE("one copied layer does not count as three") {
  const Fingerprint base = random_model(8, 6);
  Fingerprint child = random_model(8, 7);
  for (Block& block : child.blocks) {
    if (block.layer == 4) block.values = base.block(block.role, 4)->values;
  }
  const Faint faint = faint_between(child, base);
  CHECK(faint.supporting <= 2);
}

TEST_CASE("signs are not free without a gate, nor residual dimensions under LayerNorm") {
  Fingerprint base = random_model(3, 8);
  base.architecture.gated_mlp = false;
  base.architecture.norm = "layernorm";
  const FreeSigns free = free_signs(base.architecture, base.architecture);
  CHECK_FALSE(free.neurons);
  CHECK_FALSE(free.dimensions);
  CHECK(free.channels);
  const Faint faint = faint_between(base, base);
  CHECK(find(faint, "dimension-signs/1")->outcome == Evidence::Outcome::not_applicable);
  CHECK(find(faint, "unit-signs/1")->samples == 3 * 64);
  CHECK_FALSE(faint.power.has_value());
}

TEST_CASE("gate rows that could be taken for up rows are left out") {
  Architecture unclear = random_model(1, 9).architecture;
  unclear.ambiguous = {"ffn.gate|ffn.up"};
  CHECK_FALSE(free_signs(unclear, unclear).neurons);
}

TEST_CASE("what the power statement promises is seen, evenly spread or not") {
  const Fingerprint base = random_model(6, 10);
  const Faint apart = faint_between(random_model(6, 11), base);
  REQUIRE(apart.power.has_value());
  CHECK(*apart.power < 0.2);
  for (unsigned seed = 20; seed < 36; ++seed) {
    const Fingerprint own = random_model(6, seed);
    CHECK(faint_between(descended(base, own, static_cast<float>(*apart.power)), base).log10_p);
    // Half of the layers at twice the cosine, the others not at all.
    Fingerprint uneven = descended(base, own, static_cast<float>(2 * *apart.power));
    for (Block& block : uneven.blocks) {
      if (block.layer % 2 == 1) block.values = own.block(block.role, block.layer)->values;
    }
    CHECK(faint_between(uneven, base).log10_p);
  }
}

TEST_CASE("too few units promise nothing") {
  SignSum sum;
  for (int i = 0; i < 60; ++i) sum.add(i % 2 == 0 ? 0.1 : -0.1);
  CHECK_FALSE(sign_power(sum, -9).has_value());
}

TEST_CASE("the trace is nought off the diagonal, and never below one in ten thousand") {
  Matrix similarity(32, 32);
  for (std::size_t i = 0; i < 32; ++i) similarity.at(i, i) = 1;
  TraceSum trace;
  trace.add(similarity);
  // T = 32, mean 1, doubly centred squares 31, variance 1.
  CHECK(trace.deviations() == doctest::Approx(31));
  CHECK(log10_p(trace) == -4);
  CHECK(TraceSum{}.deviations() == 0);
}

TEST_CASE("what the trace alone sees in a model without a gate leaves a doubt, not a verdict") {
  Fingerprint base = random_model(8, 12);
  base.architecture.gated_mlp = false;
  base.architecture.norm = "layernorm";
  Fingerprint own = random_model(8, 13);
  own.architecture = base.architecture;
  std::erase_if(base.blocks, [](const Block& block) { return block.role == "attn.v"; });
  std::erase_if(own.blocks, [](const Block& block) { return block.role == "attn.v"; });
  const Faint faint = faint_between(descended(base, own, 0.1F), base);
  CHECK(find(faint, "neuron-trace/1")->null == Evidence::Null::asymptotic);
  CHECK(find(faint, "neuron-trace/1")->log10_p == -4);
  CHECK_FALSE(faint.log10_p.has_value());
  CHECK_FALSE(faint.doubt.empty());
}

}  // namespace pedigree
