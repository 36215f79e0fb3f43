#include "compare/couplings.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "compare/compare.h"
#include "tests/support/tiny_decoder.h"

namespace pedigree {
namespace {

bool never(int /*side*/, int /*i*/, int /*j*/) { return false; }

std::vector<int> all_layers() {
  std::vector<int> layers;
  for (std::size_t i = 0; i < TinyDecoder::layers; ++i) layers.push_back(static_cast<int>(i));
  return layers;
}

CoupledSide coupled(const TinyDecoder& decoder, std::vector<int> layers) {
  const auto directory = decoder.written("tiny");
  const auto model = open_model(directory->path());
  REQUIRE(model.has_value());
  auto neurons = coupled_neurons(**model, {.layers = std::move(layers)});
  REQUIRE(neurons.has_value());
  REQUIRE_FALSE(add_strengths(**model, *neurons, 1, {}).has_value());
  return {.layers = std::move(*neurons)};
}

// As a fingerprint keeps them, without rows.
CoupledSide stored(const TinyDecoder& decoder) {
  const auto directory = decoder.written("tiny");
  const auto model = open_model(directory->path());
  REQUIRE(model.has_value());
  const auto kept = stored_couplings(**model, 1, {});
  REQUIRE(kept.has_value());
  return coupled_side(*kept, coupled_layers((*model)->architecture));
}

struct Disguise {
  TinyDecoder decoder;
  std::vector<std::vector<std::size_t>> orders = {};  // new neuron from old, by layer
};

// All that tokens and indices could be recognised by is gone.
Disguise disguised(TinyDecoder decoder, double noise, std::uint64_t seed) {
  decoder.add_noise(noise, seed);
  decoder.rotate_residual(seed);
  decoder.replace_embeddings(seed);
  if (decoder.gated()) {
    decoder.scale_neurons(seed);
    decoder.permute_heads(seed);
  }
  decoder.scale_heads(seed);
  Disguise disguise{.decoder = std::move(decoder)};
  disguise.orders = disguise.decoder.permute_neurons(seed);
  return disguise;
}

double largest_difference(const Matrix& mine, const Matrix& theirs,
                          const std::vector<std::size_t>& order) {
  double largest = 0;
  for (std::size_t i = 0; i < mine.rows; ++i) {
    for (std::size_t j = 0; j < mine.cols; ++j) {
      largest =
          std::max(largest, std::abs(std::log(mine.at(i, j)) - std::log(theirs.at(order[i], j))));
    }
  }
  return largest;
}

std::string compared(const TinyDecoder& subject, const TinyDecoder& base) {
  const auto one = subject.written("subject");
  const auto other = base.written("base");
  const auto mine = open_model(one->path());
  const auto theirs = open_model(other->path());
  REQUIRE(mine.has_value());
  REQUIRE(theirs.has_value());
  const auto sketch = make_fingerprint(**mine);
  const auto other_sketch = make_fingerprint(**theirs);
  REQUIRE(sketch.has_value());
  REQUIRE(other_sketch.has_value());
  const Comparison seen = compare({.sketch = *sketch, .weights = mine->get()},
                                  {.sketch = *other_sketch, .weights = theirs->get()});
  return seen.verdict.derived + " " + seen.verdict.relation + " " + seen.verdict.stage + ": " +
         seen.verdict.summary;
}

}  // namespace

TEST_CASE("a strength is the share of a row that lies along the probe's rows") {
  // By hand: w = (3, 4), P = {(1, 0), (0, 2)}: Pw = (3, 8), ‖Pw‖² = 73, ‖P‖² = 5, ‖w‖² = 25.
  Matrix rows(2, 2);
  rows.values = {3, 4, 0, 0};
  Matrix probe(2, 2);
  probe.values = {1, 0, 0, 2};
  const auto shares = strengths(rows, probe, 1);
  CHECK(shares.at(0) == doctest::Approx(73.0 / 125.0));
  CHECK(shares.at(1) == 0);  // an empty row couples to nothing
}

TEST_CASE("strengths survive a rotation, new orders, free factors and new embeddings") {
  for (const bool gated : {true, false}) {
    CAPTURE(gated);
    const TinyDecoder base(gated, 5);
    const auto theirs = coupled(base, all_layers()).layers;
    const Disguise disguise = disguised(base, 0, 6);
    const auto mine = coupled(disguise.decoder, all_layers()).layers;
    for (std::size_t layer = 0; layer < mine.size(); ++layer) {
      REQUIRE(mine[layer].probes == theirs[layer].probes);
      CHECK(mine[layer].probes.size() >= fewest_probes);
      const auto& order = disguise.orders[layer];
      CHECK(largest_difference(mine[layer].first_strengths, theirs[layer].first_strengths, order) <
            1e-3);
      CHECK(largest_difference(mine[layer].second_strengths, theirs[layer].second_strengths,
                               order) < 1e-3);
    }
  }
}

TEST_CASE("couplings find the layers and the neurons of a copy with new embeddings") {
  for (const bool gated : {true, false}) {
    CAPTURE(gated);
    const TinyDecoder base(gated, 7);
    const Disguise disguise = disguised(base, 0.05, 8);
    const Couplings found = couplings(coupled(disguise.decoder, all_layers()),
                                      coupled(base, all_layers()), true, never, 2);
    REQUIRE(found.applicable);
    CHECK(found.seen.decides);
    CHECK(found.seen.map == LayerMap{{0, 0}, {1, 1}, {2, 2}, {3, 3}});
    CHECK(found.seen.control <= recorded_independent_maximum);
    std::size_t right = 0;
    std::size_t all = 0;
    for (std::size_t layer = 0; layer < found.seen.neurons.size(); ++layer) {
      for (const auto& [mine, theirs] : found.seen.neurons[layer]) {
        right += disguise.orders[layer][mine] == theirs ? 1U : 0U;
        ++all;
      }
    }
    CHECK(all >= 4 * TinyDecoder::ffn * 9 / 10);
    CHECK(right >= all - 2);
  }
}

TEST_CASE("couplings find a copy by products alone, and by products against rows") {
  for (const bool gated : {true, false}) {
    CAPTURE(gated);
    const TinyDecoder base(gated, 16);
    const Disguise disguise = disguised(base, 0.05, 17);
    for (const CoupledSide& theirs : {stored(base), coupled(base, all_layers())}) {
      CAPTURE(theirs.has_rows());
      const Couplings found = couplings(stored(disguise.decoder), theirs, true, never, 2);
      REQUIRE(found.applicable);
      CHECK(found.seen.decides);
      CHECK(found.seen.map == LayerMap{{0, 0}, {1, 1}, {2, 2}, {3, 3}});
      CHECK(found.seen.control_cells > 0);
      std::size_t right = 0;
      for (std::size_t layer = 0; layer < found.seen.neurons.size(); ++layer) {
        for (const auto& [mine, there] : found.seen.neurons[layer]) {
          right += disguise.orders[layer][mine] == there ? 1U : 0U;
        }
      }
      CHECK(right >= 4 * TinyDecoder::ffn * 9 / 10);
    }
  }
}

TEST_CASE("products say of unrelated decoders what rows say") {
  for (std::uint64_t seed = 30; seed < 34; ++seed) {
    CAPTURE(seed);
    const auto mine = stored(TinyDecoder(true, seed));
    const auto theirs = stored(TinyDecoder(true, seed + 100));
    for (const bool same_depth : {true, false}) {
      const Couplings found = couplings(mine, theirs, same_depth, never, 2);
      CHECK_FALSE(found.seen.decides);
      CHECK(found.seen.map.empty());
      CHECK(found.seen.control <= recorded_independent_maximum);
    }
  }
}

TEST_CASE("couplings name the layers that were left out") {
  const TinyDecoder base(true, 9);
  const Disguise disguise = disguised(base, 0.05, 10);
  // As a model of three layers would be: the second is gone.
  const auto few = coupled(disguise.decoder, {0, 2, 3});
  const Couplings found = couplings(few, coupled(base, all_layers()), false, never, 2);
  REQUIRE(found.applicable);
  CHECK(found.seen.map == LayerMap{{0, 0}, {2, 2}, {3, 3}});
}

TEST_CASE("unrelated decoders agree by couplings as often as by chance") {
  for (std::uint64_t seed = 20; seed < 26; ++seed) {
    CAPTURE(seed);
    const bool gated = seed % 3 != 0;
    const auto mine = coupled(TinyDecoder(gated, seed), all_layers());
    const auto theirs = coupled(TinyDecoder(gated, seed + 100), all_layers());
    for (const bool same_depth : {true, false}) {
      const Couplings found = couplings(mine, theirs, same_depth, never, 2);
      CHECK_FALSE(found.seen.decides);
      CHECK(found.seen.map.empty());
      CHECK(found.seen.control <= recorded_independent_maximum);
    }
  }
}

TEST_CASE("couplings do not apply to one layer, nor between gated and plain blocks") {
  const TinyDecoder base(true, 11);
  CHECK_FALSE(couplings(coupled(base, {0}), coupled(base, {0}), true, never, 1).applicable);
  const TinyDecoder plain(false, 11);
  CHECK_FALSE(couplings(coupled(plain, all_layers()), coupled(base, all_layers()), true, never, 1)
                  .applicable);
}

TEST_CASE("a rotated copy with new embeddings and re-dealt neurons is found by couplings") {
  const TinyDecoder base(true, 12);
  const std::string verdict = compared(disguised(base, 0.05, 13).decoder, base);
  CHECK_MESSAGE(verdict.starts_with("yes reparametrised couplings"), verdict);
}

TEST_CASE("unrelated decoders stay unrelated after couplings were looked at") {
  const std::string verdict = compared(TinyDecoder(true, 14), TinyDecoder(true, 15));
  CHECK_MESSAGE(!verdict.starts_with("yes"), verdict);
}

}  // namespace pedigree
