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

Indices spread_indices(std::uint64_t size, std::size_t count) {
  Indices indices;
  for (const std::size_t place : spread_places(static_cast<std::size_t>(size), count)) {
    indices.push_back(place);
  }
  return indices;
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

Result<Matrix> read_channels(const Model& model, int layer, const Indices& channels,
                             const Indices& dimensions) {
  const CanonicalTensor* tensor = model.find("attn.v", layer);
  if (tensor == nullptr || channels.empty() ||
      *std::ranges::max_element(dimensions) >= tensor->cols)
    return Matrix{};
  auto values = read_block(model, *tensor, channels, dimensions);
  if (!values) return std::unexpected(std::move(values.error()));
  Matrix part(channels.size(), dimensions.size());
  std::ranges::transform(*values, part.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return part;
}

Result<LayerPart> read_layer(const Model& model, const std::vector<NeuronLink>& neurons,
                             bool of_subject, const Indices& dimensions) {
  LayerPart part;
  const std::pair<FfnPart, Matrix*> wanted[] = {
      {FfnPart::gate, &part.gate}, {FfnPart::up, &part.up}, {FfnPart::down, &part.down}};
  for (const auto& [which, target] : wanted) {
    auto matrix = linked_rows(model, neurons, of_subject, which, dimensions);
    if (!matrix) return std::unexpected(std::move(matrix.error()));
    *target = std::move(*matrix);
  }
  return part;
}

void shared_block_parts(const Block* a, const Block* b, bool turned,
                        std::pair<Matrix*, Matrix*> targets) {
  if (a == nullptr || b == nullptr) return;
  const auto rows = shared_places(a->rows, b->rows);
  const auto cols = shared_places(a->cols, b->cols);
  if (rows.subject.empty() || cols.subject.empty()) return;
  *targets.first = part_of(*a, rows.subject, cols.subject, turned);
  *targets.second = part_of(*b, rows.base, cols.base, turned);
}

LayerParts sketched_parts(const Side& subject, const Side& base, const Alignment& alignment,
                          std::size_t place) {
  LayerParts parts;
  const auto [a, b] = alignment.layers[place];
  if (const auto blocks = indexed_blocks(alignment, place)) {
    const auto add = [&](FfnPart part, Matrix& mine, Matrix& theirs) {
      shared_block_parts(find_part(subject.sketch, blocks->first, part),
                         find_part(base.sketch, blocks->second, part), part == FfnPart::down,
                         {&mine, &theirs});
    };
    add(FfnPart::gate, parts.subject.gate, parts.base.gate);
    add(FfnPart::up, parts.subject.up, parts.base.up);
    add(FfnPart::down, parts.subject.down, parts.base.down);
  }
  shared_block_parts(subject.sketch.block("attn.v", a), base.sketch.block("attn.v", b), false,
                     {&parts.subject.value, &parts.base.value});
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
  const auto neurons =
      neuron_links(alignment, place, *subject.weights, *base.weights, most_neurons);
  const IndexPairs channels = paired_channels(subject, base, alignment, place);
  LayerParts parts;
  for (const bool of_subject : {true, false}) {
    const Model& model = of_subject ? *subject.weights : *base.weights;
    const Indices& along = of_subject ? dimensions.subject : dimensions.base;
    auto part = read_layer(model, neurons, of_subject, along);
    if (!part) return std::unexpected(std::move(part.error()));
    auto value = read_channels(model, of_subject ? a : b,
                               of_subject ? channels.subject : channels.base, along);
    if (!value) return std::unexpected(std::move(value.error()));
    part->value = std::move(*value);
    (of_subject ? parts.subject : parts.base) = std::move(*part);
  }
  return parts;
}

}  // namespace pedigree
