#include "compare/two_view.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "compare/dense.h"
#include "model/weights.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::uint64_t all_below = 512;  // neurons: look at all of them
constexpr std::size_t chosen_count = 256;
constexpr std::size_t choosing_tokens = 16;
constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;
constexpr std::uint64_t matching_seed = 0x74776F76696577ULL;

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

Result<NeuronViews> views_of_layer(const Model& model, int layer,
                                   const std::vector<float>& tokens) {
  const CanonicalTensor* gate = model.find("ffn.gate", layer);
  const CanonicalTensor* up = model.find("ffn.up", layer);
  if (gate == nullptr || up == nullptr || gate->rows != up->rows) return NeuronViews{};
  auto inputs = scaled_by_gain(model, layer, tokens);
  if (!inputs) return std::unexpected(std::move(inputs.error()));
  auto neurons = chosen_neurons(model, *gate, *inputs);
  if (!neurons) return std::unexpected(std::move(neurons.error()));
  auto gate_rows = read_rows(model, *gate, *neurons);
  if (!gate_rows) return std::unexpected(std::move(gate_rows.error()));
  auto up_rows = read_rows(model, *up, *neurons);
  if (!up_rows) return std::unexpected(std::move(up_rows.error()));
  NeuronViews views{.neurons = std::move(*neurons),
                    .gate = responses_of(*gate_rows, *inputs, gate->cols),
                    .up = responses_of(*up_rows, *inputs, up->cols)};
  regress_up_on_gate(views.gate, views.up);
  return views;
}

Matrix view_similarity(const Matrix& subject, const Matrix& base, bool up_to_sign) {
  Witness witness;
  witness.views.push_back(
      {.subject = subject, .base = base, .unsigned_group = up_to_sign ? 0 : -1});
  return rectangular_similarity(witness);
}

// Partner of each row of the smaller side, from either orientation.
std::vector<std::size_t> partners(const Matrix& cosines) {
  if (cosines.rows <= cosines.cols) return best_assignment(cosines, matching_seed);
  Matrix turned(cosines.cols, cosines.rows);
  for (std::size_t i = 0; i < cosines.rows; ++i) {
    for (std::size_t j = 0; j < cosines.cols; ++j) turned.at(j, i) = cosines.at(i, j);
  }
  return best_assignment(turned, matching_seed);
}

struct AgreementTable {
  std::size_t columns = 0;
  std::vector<NeuronPairs> cells = {};

  const NeuronPairs& at(int a, int b) const {
    return cells[static_cast<std::size_t>(a) * columns + static_cast<std::size_t>(b)];
  }
};

std::vector<int> best_columns(const AgreementTable& table, int rows) {
  std::vector<int> best(static_cast<std::size_t>(rows), 0);
  for (int a = 0; a < rows; ++a) {
    for (int b = 1; b < static_cast<int>(table.columns); ++b) {
      auto& chosen = best[static_cast<std::size_t>(a)];
      if (table.at(a, b).size() > table.at(a, chosen).size()) chosen = b;
    }
  }
  return best;
}

}  // namespace

Result<std::vector<NeuronViews>> neuron_views(const Model& model,
                                              std::span<const std::uint64_t> tokens,
                                              unsigned threads, const Progress& progress) {
  const CanonicalTensor* embedding = model.find("embed.tokens");
  if (embedding == nullptr || tokens.empty()) return std::vector<NeuronViews>{};
  auto rows = read_rows(model, *embedding, tokens);
  if (!rows) return std::unexpected(std::move(rows.error()));
  const auto centred =
      centred_tokens(std::move(*rows), tokens.size(), model.architecture.norm == "layernorm");
  std::vector<NeuronViews> views(model.architecture.layers);
  auto problem = parallel_for(views.size(), threads, progress,
                              [&](std::size_t layer) -> std::optional<Problem> {
                                auto one = views_of_layer(model, static_cast<int>(layer), centred);
                                if (!one) return std::move(one.error());
                                views[layer] = std::move(*one);
                                return std::nullopt;
                              });
  if (problem) return std::unexpected(std::move(*problem));
  return views;
}

NeuronPairs agreeing_neurons(const NeuronViews& subject, const NeuronViews& base) {
  NeuronPairs pairs;
  if (subject.neurons.empty() || base.neurons.empty()) return pairs;
  const auto by_gate = partners(view_similarity(subject.gate, base.gate, false));
  const auto by_up = partners(view_similarity(subject.up, base.up, true));
  const bool turned = subject.neurons.size() > base.neurons.size();
  for (std::size_t i = 0; i < by_gate.size(); ++i) {
    if (by_gate[i] != by_up[i]) continue;
    const std::size_t mine = turned ? by_gate[i] : i;
    const std::size_t theirs = turned ? i : by_gate[i];
    pairs.emplace_back(subject.neurons[mine], base.neurons[theirs]);
  }
  std::ranges::sort(pairs);
  return pairs;
}

TwoView two_view(const std::vector<NeuronViews>& subject, const std::vector<NeuronViews>& base,
                 const std::function<bool(int side, int i, int j)>& duplicates, unsigned threads) {
  TwoView result;
  if (subject.empty() || base.empty()) return result;
  AgreementTable table{.columns = base.size()};
  table.cells.resize(subject.size() * base.size());
  const auto failed =
      parallel_for(table.cells.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        table.cells[i] = agreeing_neurons(subject[i / base.size()], base[i % base.size()]);
        return std::nullopt;
      });
  check(!failed, "matching neurons cannot fail");
  const auto best = best_columns(table, static_cast<int>(subject.size()));
  for (int a = 0; a < static_cast<int>(subject.size()); ++a) {
    for (int b = 0; b < static_cast<int>(base.size()); ++b) {
      const int chosen = best[static_cast<std::size_t>(a)];
      if (b == chosen || duplicates(1, b, chosen)) continue;
      result.control = std::max(result.control, table.at(a, b).size());
      ++result.control_cells;
    }
  }
  result.mapped = std::min(subject.size(), base.size());
  for (int a = 0; a < static_cast<int>(subject.size()); ++a) {
    const int b = best[static_cast<std::size_t>(a)];
    const auto& pairs = table.at(a, b);
    const std::size_t neurons = std::min(subject[static_cast<std::size_t>(a)].neurons.size(),
                                         base[static_cast<std::size_t>(b)].neurons.size());
    result.looked_at = std::max(result.looked_at, neurons);
    const std::size_t needed = std::max({std::size_t{20}, (neurons + 19) / 20, 5 * result.control,
                                         5 * recorded_independent_maximum});
    if (result.control_cells == 0 || pairs.size() < needed) continue;
    result.smallest = result.map.empty() ? pairs.size() : std::min(result.smallest, pairs.size());
    result.map.emplace_back(a, b);
    result.neurons.push_back(pairs);
  }
  result.decides = result.mapped > 0 && 2 * result.map.size() >= result.mapped;
  return result;
}

}  // namespace pedigree
