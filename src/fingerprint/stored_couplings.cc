#include "fingerprint/stored_couplings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "tensor/multiply.h"

namespace pedigree {
namespace {

constexpr std::uint64_t wide = 1024;  // residual dimensions; above, half of the layers
constexpr std::uint64_t most_layers = 8;
constexpr std::uint64_t most_neurons = 512;  // of a layer
constexpr std::size_t most_probes = 256;
constexpr std::uint64_t product_budget = 8'000'000;  // bytes
constexpr std::uint64_t bytes_a_product = 6;         // three arrays of halves

using Places = std::vector<std::pair<std::size_t, std::size_t>>;

// Of the layers looked at: all pairs where these are all layers there are, so that a model of
// another depth can be set against them; else those at an even and an odd place.
Places coupled_places(std::size_t layers, std::uint64_t depth) {
  Places pairs;
  for (std::size_t i = 0; i < layers; ++i) {
    for (std::size_t j = i + 1; j < layers; ++j) {
      if (layers == depth || (j - i) % 2 == 1) pairs.emplace_back(i, j);
    }
  }
  return pairs;
}

std::uint64_t neurons_kept(std::size_t pairs) {
  std::uint64_t count = most_neurons;
  while (pairs * bytes_a_product * count * count > product_budget) --count;
  return count;
}

std::vector<float> kept_strengths(const Matrix& strengths, std::size_t probes) {
  std::vector<float> kept;
  kept.reserve(strengths.rows * probes);
  for (std::size_t i = 0; i < strengths.rows; ++i) {
    for (std::size_t j = 0; j < probes; ++j) kept.push_back(static_cast<float>(strengths.at(i, j)));
  }
  return kept;
}

CoupledLayer kept_layer(const CoupledNeurons& found) {
  const std::size_t probes = std::min(found.probes.size(), most_probes);
  CoupledLayer kept{.layer = found.layer,
                    .gated = found.gated,
                    .neurons = found.neurons,
                    .probes = found.probes,
                    .first_strengths = kept_strengths(found.first_strengths, probes),
                    .second_strengths = kept_strengths(found.second_strengths, probes)};
  kept.probes.resize(probes);
  return kept;
}

struct TurnedRows {  // hidden × neurons
  std::size_t neurons = 0;
  std::size_t hidden = 0;
  std::vector<float> first = {};
  std::vector<float> second = {};
};

TurnedRows turned_rows(const CoupledNeurons& found) {
  return {.neurons = found.neurons.size(),
          .hidden = found.first.cols,
          .first = turned(found.first),
          .second = turned(found.second)};
}

// Every product of `a` and `b`, or nothing where one is not finite.
bool multiply(const TurnedRows& a, const TurnedRows& b, unsigned threads, CoupledPair& pair) {
  const ProductShape shape{.depth = a.hidden, .rows = a.neurons, .cols = b.neurons};
  const auto product = [&](std::span<const float> left, std::span<const float> right,
                           std::vector<float>& products) {
    products.assign(shape.rows * shape.cols, 0);
    add_transposed_product(left, right, shape, products, threads);
    return std::ranges::all_of(products, [](float value) { return std::isfinite(value); });
  };
  return product(a.first, b.first, pair.first_first) &&
         product(a.first, b.second, pair.first_second) &&
         product(a.second, b.first, pair.second_first);
}

}  // namespace

std::vector<int> coupled_layers(const Architecture& architecture) {
  const std::uint64_t depth = architecture.layers;
  const std::uint64_t most = architecture.hidden > wide ? most_layers / 2 : most_layers;
  std::vector<int> layers;
  layers.reserve(static_cast<std::size_t>(std::min(depth, most)));
  for (std::uint64_t i = 0; i < std::min(depth, most); ++i) {
    layers.push_back(static_cast<int>(depth <= most ? i : i * (depth - 1) / (most - 1)));
  }
  return layers;
}

std::string coupling_scheme() {
  return fmt::format("l{}:w{}:n{}:p{}:b{}:{}", most_layers, wide, most_neurons, most_probes,
                     product_budget, strength_scheme());
}

Result<StoredCouplings> stored_couplings(const Model& model, unsigned threads,
                                         const Progress& progress) {
  const std::vector<int> looked_at = coupled_layers(model.architecture);
  const Places places = coupled_places(looked_at.size(), model.architecture.layers);
  const std::uint64_t kept = neurons_kept(places.size());
  StoredCouplings stored;
  auto found = coupled_neurons(
      model, {.layers = looked_at, .chosen = static_cast<std::size_t>(kept), .whole = kept});
  if (!found) return std::unexpected(std::move(found.error()));
  if (auto problem = add_strengths(model, *found, threads, progress)) {
    return std::unexpected(std::move(*problem));
  }
  std::vector<TurnedRows> rows;
  rows.reserve(found->size());
  for (CoupledNeurons& layer : *found) {
    rows.push_back(turned_rows(layer));
    layer.first = {};
    layer.second = {};
    if (!layer.neurons.empty()) stored.layers.push_back(kept_layer(layer));
  }
  for (const auto& [i, j] : places) {
    if (rows[i].neurons == 0 || rows[j].neurons == 0) continue;
    CoupledPair pair{.one = looked_at[i], .other = looked_at[j]};
    if (!multiply(rows[i], rows[j], threads, pair)) return StoredCouplings{};
    stored.pairs.push_back(std::move(pair));
  }
  return stored;
}

}  // namespace pedigree
