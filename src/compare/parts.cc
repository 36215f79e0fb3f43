#include "compare/parts.h"

#include <algorithm>
#include <string_view>

#include "compare/dense.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t most_neurons = 256;
constexpr std::size_t all_dimensions = 1024;
constexpr std::size_t some_dimensions = 512;

using Indices = std::vector<std::uint64_t>;

Result<Matrix> read_part(const Model& model, std::string_view role, int layer, const Indices& units,
                         const Indices& dimensions) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr || units.empty()) return Matrix{};
  const bool down = role == "ffn.down";
  const std::uint64_t unit_count = down ? tensor->cols : tensor->rows;
  const std::uint64_t width = down ? tensor->rows : tensor->cols;
  if (*std::ranges::max_element(units) >= unit_count) return Matrix{};
  if (*std::ranges::max_element(dimensions) >= width) return Matrix{};
  auto values = down ? read_block(model, *tensor, dimensions, units)
                     : read_block(model, *tensor, units, dimensions);
  if (!values) return std::unexpected(std::move(values.error()));
  Matrix part(down ? dimensions.size() : units.size(), down ? units.size() : dimensions.size());
  std::ranges::transform(*values, part.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return down ? transposed(part) : part;
}

Indices spread_indices(std::uint64_t size, std::size_t count) {
  Indices indices;
  for (const std::size_t place : spread_places(static_cast<std::size_t>(size), count)) {
    indices.push_back(place);
  }
  return indices;
}

IndexPairs paired_neurons(const Side& subject, const Side& base, const Alignment& alignment,
                          std::size_t place) {
  IndexPairs units;
  if (alignment.neurons_by_index) {
    const auto shared = std::min(subject.sketch.architecture.ffn, base.sketch.architecture.ffn);
    units.subject = spread_indices(shared, most_neurons);
    units.base = units.subject;
    return units;
  }
  const NeuronPairs& pairs = alignment.neurons[place];
  for (const std::size_t i : spread_places(pairs.size(), most_neurons)) {
    units.subject.push_back(pairs[i].first);
    units.base.push_back(pairs[i].second);
  }
  return units;
}

IndexPairs paired_dimensions(const Side& subject, const Side& base, const Alignment& alignment) {
  if (alignment.by_width()) return alignment.dimensions;
  const auto width = std::min(subject.sketch.architecture.hidden, base.sketch.architecture.hidden);
  IndexPairs dimensions;
  dimensions.subject =
      spread_indices(width, width <= all_dimensions ? all_dimensions : some_dimensions);
  dimensions.base = dimensions.subject;
  return dimensions;
}

IndexPairs paired_channels(const Side& subject, const Side& base, const Alignment& alignment,
                           std::size_t place) {
  const auto [a, b] = alignment.layers[place];
  const CanonicalTensor* mine = subject.weights->find("attn.v", a);
  const CanonicalTensor* theirs = base.weights->find("attn.v", b);
  IndexPairs channels;
  if (mine == nullptr || theirs == nullptr) return channels;
  if (alignment.by_width()) {
    return paired_head_rows(subject, base, alignment.heads[place], true, most_neurons);
  }
  if (mine->rows == theirs->rows) {
    channels.subject = spread_indices(mine->rows, most_neurons);
    channels.base = channels.subject;
  }
  return channels;
}

Result<LayerPart> read_layer(const Model& model, int layer, const Indices& neurons,
                             const Indices& channels, const Indices& dimensions) {
  LayerPart part;
  const std::pair<const char*, Matrix*> wanted[] = {{"ffn.gate", &part.gate},
                                                    {"ffn.up", &part.up},
                                                    {"ffn.down", &part.down},
                                                    {"attn.v", &part.value}};
  for (const auto& [role, target] : wanted) {
    auto matrix =
        read_part(model, role, layer, target == &part.value ? channels : neurons, dimensions);
    if (!matrix) return std::unexpected(std::move(matrix.error()));
    *target = std::move(*matrix);
  }
  return part;
}

void shared_block_parts(const Side& subject, const Side& base, std::pair<int, int> layers,
                        std::string_view role, std::pair<Matrix*, Matrix*> targets) {
  const Block* a = subject.sketch.block(role, layers.first);
  const Block* b = base.sketch.block(role, layers.second);
  if (a == nullptr || b == nullptr) return;
  const auto rows = shared_places(a->rows, b->rows);
  const auto cols = shared_places(a->cols, b->cols);
  if (rows.subject.empty() || cols.subject.empty()) return;
  const bool turned = role == "ffn.down";
  *targets.first = part_of(*a, rows.subject, cols.subject, turned);
  *targets.second = part_of(*b, rows.base, cols.base, turned);
}

LayerParts sketched_parts(const Side& subject, const Side& base, const Alignment& alignment,
                          std::size_t place) {
  LayerParts parts;
  const auto layers = alignment.layers[place];
  if (alignment.neurons_by_index) {
    shared_block_parts(subject, base, layers, "ffn.gate", {&parts.subject.gate, &parts.base.gate});
    shared_block_parts(subject, base, layers, "ffn.up", {&parts.subject.up, &parts.base.up});
    shared_block_parts(subject, base, layers, "ffn.down", {&parts.subject.down, &parts.base.down});
  }
  shared_block_parts(subject, base, layers, "attn.v", {&parts.subject.value, &parts.base.value});
  return parts;
}

}  // namespace

Result<LayerParts> layer_parts(const Side& subject, const Side& base, const Alignment& alignment,
                               std::size_t place) {
  if (subject.weights == nullptr || base.weights == nullptr) {
    return sketched_parts(subject, base, alignment, place);
  }
  const auto [a, b] = alignment.layers[place];
  const IndexPairs dimensions = paired_dimensions(subject, base, alignment);
  if (dimensions.empty()) return LayerParts{};
  const IndexPairs neurons = paired_neurons(subject, base, alignment, place);
  const IndexPairs channels = paired_channels(subject, base, alignment, place);
  auto subject_part =
      read_layer(*subject.weights, a, neurons.subject, channels.subject, dimensions.subject);
  if (!subject_part) return std::unexpected(std::move(subject_part.error()));
  auto base_part = read_layer(*base.weights, b, neurons.base, channels.base, dimensions.base);
  if (!base_part) return std::unexpected(std::move(base_part.error()));
  return LayerParts{.subject = std::move(*subject_part), .base = std::move(*base_part)};
}

}  // namespace pedigree
