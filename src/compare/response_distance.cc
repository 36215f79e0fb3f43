#include "compare/response_distance.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "compare/dense.h"
#include "compare/layer_pairs.h"
#include "compare/neuron_views.h"
#include "compare/pairing.h"
#include "compare/two_view.h"
#include "compare/witness.h"
#include "model/weights.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::size_t most_layers = 8;
constexpr std::size_t most_neurons = 64;
constexpr std::size_t fewest_answers = 1024;  // values to measure a distance on
constexpr double least_cosine = 0.5;          // neurons that correspond answer alike

struct Sums {
  double squares = 0;
  double first = 0;
  double second = 0;
  std::size_t values = 0;

  void add(double a, double b) {
    squares += (a - b) * (a - b);
    first += a * a;
    second += b * b;
    ++values;
  }
  std::optional<double> distance() const {
    if (values < fewest_answers || first <= 0 || second <= 0) return std::nullopt;
    const double across = (first + second - squares) / 2;
    if (across < least_cosine * std::sqrt(first * second)) return std::nullopt;
    return 2 * squares / (first + second);
  }
};

void add_layer(Sums& sums, const Responses& a, const Responses& b, const CommonTokens& tokens,
               std::pair<std::size_t, std::size_t> widths) {
  const SharedPlaces units = shared_places(a.units, b.units);
  for (std::size_t i = 0; i < units.subject.size(); ++i) {
    for (std::size_t t = 0; t < tokens.subject_places.size(); ++t) {
      sums.add(
          static_cast<double>(a.values[units.subject[i] * widths.first + tokens.subject_places[t]]),
          static_cast<double>(b.values[units.base[i] * widths.second + tokens.base_places[t]]));
    }
  }
}

// The embedding's rows of `rows`, centred over them, and over the dimensions
// where the norm is a LayerNorm.
Result<Matrix> centred_tokens(const Model& model, std::span<const std::uint64_t> rows) {
  const CanonicalTensor* embedding = model.find("embed.tokens");
  if (embedding == nullptr || rows.empty()) return Matrix{};
  auto values = read_rows(model, *embedding, rows);
  if (!values) return std::unexpected(std::move(values.error()));
  Matrix tokens(rows.size(), static_cast<std::size_t>(embedding->cols));
  std::ranges::transform(*values, tokens.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  std::vector<double> mean(tokens.cols);
  for (std::size_t t = 0; t < tokens.rows; ++t) {
    const auto row = tokens.row(t);
    for (std::size_t j = 0; j < row.size(); ++j) mean[j] += row[j];
  }
  for (std::size_t t = 0; t < tokens.rows; ++t) {
    const auto row = tokens.row(t);
    double own = 0;
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] -= mean[j] / static_cast<double>(tokens.rows);
      own += row[j];
    }
    if (model.architecture.norm != "layernorm") continue;
    for (double& value : row) value -= own / static_cast<double>(tokens.cols);
  }
  return tokens;
}

// Gate answers of these neurons: (W diag γ)(E − Ē)ᵀ. Empty when a tensor or a
// neuron is not there.
Result<Matrix> gate_answers(const Model& model, int layer, std::span<const std::uint64_t> neurons,
                            const Matrix& tokens) {
  const CanonicalTensor* gate = model.find("ffn.gate", layer);
  const CanonicalTensor* norm = model.find("ffn.norm", layer);
  if (gate == nullptr || neurons.empty() || gate->cols != tokens.cols ||
      *std::ranges::max_element(neurons) >= gate->rows) {
    return Matrix{};
  }
  auto values = read_rows(model, *gate, neurons);
  if (!values) return std::unexpected(std::move(values.error()));
  std::vector<double> gain(tokens.cols, 1.0);
  if (norm != nullptr && norm->rows == gain.size()) {
    const auto stored = read_all(model, *norm);
    if (!stored) return std::unexpected(stored.error());
    const double one = model.architecture.norm_plus_one ? 1 : 0;
    std::ranges::transform(*stored, gain.begin(),
                           [one](float value) { return static_cast<double>(value) + one; });
  }
  Matrix rows(neurons.size(), tokens.cols);
  for (std::size_t i = 0; i < rows.values.size(); ++i) {
    rows.values[i] = static_cast<double>((*values)[i]) * gain[i % rows.cols];
  }
  return times_transposed(rows, tokens, 1);
}

std::vector<std::uint64_t> hashes_of(const Fingerprint& sketch,
                                     const std::vector<std::size_t>& places) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(places.size());
  for (const std::size_t place : places) hashes.push_back(sketch.tokens[place].hash);
  return hashes;
}

// Rows of the sampled tokens with these hashes; fewer when some were not sampled.
std::vector<std::uint64_t> rows_with(const Fingerprint& sketch,
                                     const std::vector<std::uint64_t>& hashes) {
  std::vector<std::uint64_t> rows;
  for (const SampledToken& token : sketch.tokens) {
    if (std::ranges::binary_search(hashes, token.hash)) rows.push_back(token.row);
  }
  return rows;
}

Result<TwoView> agreement(const Side& disguised, const Side& reference, const CommonTokens& tokens,
                          const CompareOptions& options) {
  const auto views = views_of_both(disguised, reference, tokens, options);
  if (!views) return std::unexpected(views.error());
  const LayerPairs among_mine(disguised.sketch, disguised.sketch);
  const LayerPairs among_theirs(reference.sketch, reference.sketch);
  const auto copies = [&](int side, int i, int j) {
    const Cell cell = (side == 0 ? among_mine : among_theirs).neurons(i, j, true);
    return i != j && cell.units > 0 && 2 * cell.matched >= cell.units;
  };
  return two_view(views->subject, views->base, copies, options.threads);
}

}  // namespace

std::optional<double> stored_response_distance(const Fingerprint& first, const Fingerprint& second,
                                               const std::vector<std::pair<int, int>>& layers) {
  const CommonTokens tokens = common_tokens(first, second);
  Sums sums;
  for (const auto& [a, b] : layers) {
    const Responses* mine = first.response("ffn.gate", a);
    const Responses* theirs = second.response("ffn.gate", b);
    if (mine == nullptr || theirs == nullptr) continue;
    add_layer(sums, *mine, *theirs, tokens, {first.tokens.size(), second.tokens.size()});
  }
  return sums.distance();
}

Result<std::optional<ResponseAnchor>> ResponseAnchor::find(const Side& disguised,
                                                           const Side& reference,
                                                           const CompareOptions& options) {
  if (disguised.weights == nullptr || reference.weights == nullptr) return std::nullopt;
  const CommonTokens common = common_tokens(disguised.sketch, reference.sketch);
  if (common.subject_rows.size() < fewest_shared) return std::nullopt;
  const auto seen = agreement(disguised, reference, common, options);
  if (!seen) return std::unexpected(seen.error());
  if (seen->map.empty()) return std::nullopt;
  ResponseAnchor anchor;
  anchor.tokens_ = hashes_of(disguised.sketch, common.subject_places);
  const auto tokens =
      centred_tokens(*disguised.weights, rows_with(disguised.sketch, anchor.tokens_));
  if (!tokens) return std::unexpected(tokens.error());
  for (const std::size_t place : spread_places(seen->map.size(), most_layers)) {
    const NeuronPairs& pairs = seen->neurons[place];
    Layer layer{.number = seen->map[place].second};
    std::vector<std::uint64_t> own;
    for (const std::size_t i : spread_places(pairs.size(), most_neurons)) {
      own.push_back(pairs[i].first);
      layer.neurons.push_back(pairs[i].second);
    }
    auto answers = gate_answers(*disguised.weights, seen->map[place].first, own, *tokens);
    if (!answers) return std::unexpected(std::move(answers.error()));
    layer.answers = std::move(answers->values);
    anchor.layers_.push_back(std::move(layer));
  }
  return anchor;
}

Result<std::optional<double>> ResponseAnchor::distance_to(const Side& member) const {
  if (member.weights == nullptr) return std::nullopt;
  const auto rows = rows_with(member.sketch, tokens_);
  if (rows.size() != tokens_.size()) return std::nullopt;
  const auto tokens = centred_tokens(*member.weights, rows);
  if (!tokens) return std::unexpected(tokens.error());
  Sums sums;
  for (const Layer& layer : layers_) {
    const auto answers = gate_answers(*member.weights, layer.number, layer.neurons, *tokens);
    if (!answers) return std::unexpected(answers.error());
    if (answers->values.size() != layer.answers.size()) continue;
    for (std::size_t i = 0; i < layer.answers.size(); ++i) {
      sums.add(layer.answers[i], answers->values[i]);
    }
  }
  return sums.distance();
}

}  // namespace pedigree
