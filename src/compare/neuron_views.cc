#include "compare/neuron_views.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/parallel.h"
#include "compare/dense.h"
#include "fingerprint/sampling.h"
#include "model/weights.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::uint64_t all_below = 512;  // neurons: look at all of them
constexpr std::size_t chosen_count = 256;
constexpr std::size_t choosing_tokens = 16;
constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;

constexpr std::uint64_t all_experts = 8;
constexpr std::uint64_t few_experts = 4;
constexpr std::size_t most_blocks = 128;

// Token rows as the layer's norm hands them on, up to a scale per token: centred
// over the tokens, and over the dimensions too where the norm is a LayerNorm.
std::vector<float> centred_tokens(std::vector<float> rows, std::size_t count, bool layer_norm) {
  const std::size_t width = rows.size() / count;
  if (layer_norm) {
    for (std::size_t t = 0; t < count; ++t) {
      const std::span row(rows.data() + t * width, width);
      const float mean = static_cast<float>(sum(row) / static_cast<double>(width));
      for (float& value : row) value -= mean;
    }
  }
  for (std::size_t j = 0; j < width; ++j) {
    double total = 0;
    for (std::size_t t = 0; t < count; ++t) total += static_cast<double>(rows[t * width + j]);
    const float mean = static_cast<float>(total / static_cast<double>(count));
    for (std::size_t t = 0; t < count; ++t) rows[t * width + j] -= mean;
  }
  return rows;
}

Result<std::vector<float>> scaled_by_gain(const Model& model, int layer,
                                          const std::vector<float>& tokens) {
  const CanonicalTensor* norm = model.find("ffn.norm", layer);
  if (norm == nullptr) return tokens;
  auto gain = read_all(model, *norm);
  if (!gain) return std::unexpected(std::move(gain.error()));
  const float one = model.architecture.norm_plus_one ? 1.0F : 0.0F;
  std::vector<float> scaled = tokens;
  for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] *= (*gain)[i % gain->size()] + one;
  return scaled;
}

Matrix responses_of(std::span<const float> rows, std::span<const float> tokens, std::size_t width) {
  Matrix result(rows.size() / width, tokens.size() / width);
  for (std::size_t i = 0; i < result.rows; ++i) {
    dots(rows.subspan(i * width, width), tokens, result.row(i));
  }
  return result;
}

Result<std::vector<std::uint64_t>> chosen_neurons(const Model& model, const CanonicalTensor& gate,
                                                  std::span<const float> tokens) {
  std::vector<std::uint64_t> neurons(gate.rows);
  for (std::size_t i = 0; i < neurons.size(); ++i) neurons[i] = i;
  if (gate.rows <= all_below) return neurons;
  const std::size_t width = gate.cols;
  const auto first = tokens.subspan(0, std::min(tokens.size(), choosing_tokens * width));
  std::vector<double> size(gate.rows);
  auto problem =
      stream_rows(model, gate, chunk_bytes,
                  [&](std::uint64_t row, std::span<const float> values) -> std::optional<Problem> {
                    const Matrix seen = responses_of(values, first, width);
                    for (std::size_t i = 0; i < seen.rows; ++i) {
                      for (const double value : seen.row(i)) size[row + i] += value * value;
                    }
                    return std::nullopt;
                  });
  if (problem) return std::unexpected(std::move(*problem));
  std::ranges::stable_sort(neurons, std::greater{}, [&](std::uint64_t i) { return size[i]; });
  neurons.resize(chosen_count);
  std::ranges::sort(neurons);
  return neurons;
}

void regress_up_on_gate(const Matrix& gate, Matrix& up) {
  for (std::size_t i = 0; i < gate.rows; ++i) {
    const auto g = gate.row(i);
    const auto u = up.row(i);
    const double squares = product(g, g);
    if (squares <= 0) continue;
    const double slope = product(g, u) / squares;
    for (std::size_t j = 0; j < g.size(); ++j) u[j] -= slope * g[j];
  }
}

// `wanted`: null for the neurons with the largest gate responses.
Result<NeuronViews> views_of_block(const Model& model, const FfnPlace& place,
                                   const std::vector<float>& tokens,
                                   const std::vector<std::uint64_t>* wanted) {
  const CanonicalTensor* gate = find_part(model, place, FfnPart::gate);
  const CanonicalTensor* up = find_part(model, place, FfnPart::up);
  NeuronViews views{.place = place};
  if (gate == nullptr || up == nullptr || gate->rows != up->rows) return views;
  if (gate->cols != up->cols || tokens.size() % gate->cols != 0) return views;
  auto inputs = scaled_by_gain(model, place.layer, tokens);
  if (!inputs) return std::unexpected(std::move(inputs.error()));
  Result<std::vector<std::uint64_t>> neurons;
  if (wanted == nullptr) {
    neurons = chosen_neurons(model, *gate, *inputs);
  } else {
    neurons = *wanted;
  }
  if (!neurons) return std::unexpected(std::move(neurons.error()));
  auto gate_rows = read_rows(model, *gate, *neurons);
  if (!gate_rows) return std::unexpected(std::move(gate_rows.error()));
  auto up_rows = read_rows(model, *up, *neurons);
  if (!up_rows) return std::unexpected(std::move(up_rows.error()));
  views.neurons = std::move(*neurons);
  views.gate = responses_of(*gate_rows, *inputs, gate->cols);
  views.up = responses_of(*up_rows, *inputs, up->cols);
  return views;
}

// One more than the largest number of an expert.
std::uint64_t experts_in(const std::vector<FfnPlace>& places) {
  std::uint64_t count = 0;
  for (const FfnPlace& place : places) {
    if (place.kind == FfnPlace::Kind::expert) {
      count = std::max(count, static_cast<std::uint64_t>(place.expert) + 1);
    }
  }
  return count;
}

}  // namespace

std::vector<FfnPlace> viewed_places(const Model& model, const Model& other) {
  std::vector<FfnPlace> places = ffn_places(model);
  const std::uint64_t experts = experts_in(places);
  const bool equal_depth = model.architecture.layers == other.architecture.layers;
  const bool both = experts > 0 && experts_in(ffn_places(other)) > 0;
  const auto root = std::sqrt(static_cast<double>(experts));
  const auto sampled = sampled_indices(
      SamplingScheme{}, "expert", experts,
      both ? std::max(all_experts, static_cast<std::uint64_t>(std::ceil(1.5 * root)))
           : few_experts);
  std::erase_if(places, [&](const FfnPlace& place) {
    return place.kind == FfnPlace::Kind::expert &&
           !std::ranges::binary_search(sampled, static_cast<std::uint64_t>(place.expert));
  });
  if (!both || !equal_depth || places.size() <= most_blocks) return places;
  const auto depth = static_cast<std::size_t>(model.architecture.layers);
  const auto layers = spread_places(depth, most_blocks / sampled.size());
  std::erase_if(places, [&](const FfnPlace& place) {
    return !std::ranges::binary_search(layers, static_cast<std::size_t>(place.layer));
  });
  return places;
}

Result<std::vector<NeuronViews>> neuron_views(const Model& model, const ViewRequest& request,
                                              unsigned threads, const Progress& progress) {
  std::vector<NeuronViews> views(request.places.size());
  const CanonicalTensor* embedding = model.find("embed.tokens");
  if (embedding == nullptr || request.tokens.empty() || views.empty()) return views;
  auto rows = read_rows(model, *embedding, request.tokens);
  if (!rows) return std::unexpected(std::move(rows.error()));
  const auto centred = centred_tokens(std::move(*rows), request.tokens.size(),
                                      model.architecture.norm == "layernorm");
  auto problem =
      parallel_for(views.size(), threads, progress, [&](std::size_t i) -> std::optional<Problem> {
        auto one = views_of_block(model, request.places[i], centred,
                                  request.neurons.empty() ? nullptr : &request.neurons[i]);
        if (!one) return std::move(one.error());
        views[i] = std::move(*one);
        if (request.up_is_residual) regress_up_on_gate(views[i].gate, views[i].up);
        return std::nullopt;
      });
  if (problem) return std::unexpected(std::move(*problem));
  return views;
}

}  // namespace pedigree
