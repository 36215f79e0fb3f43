#include "compare/ffn_pairs.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "fingerprint/neuron_answers.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr auto parts = {FfnPart::gate, FfnPart::up, FfnPart::down};

const Block* smallest_up(const Fingerprint& sketch) {
  const Block* smallest = nullptr;
  for (const FfnPlace& place : ffn_places(sketch)) {
    const Block* up = find_part(sketch, place, FfnPart::up);
    if (up == nullptr) continue;
    if (smallest == nullptr || up->full_rows < smallest->full_rows) smallest = up;
  }
  return smallest;
}

FfnSketch from_sketch(const Fingerprint& sketch) {
  FfnSketch blocks{.places = ffn_places(sketch)};
  Fingerprint& own = blocks.sketch;
  own.scheme = sketch.scheme;
  own.architecture = sketch.architecture;
  own.architecture.layers = blocks.places.size();
  own.tokens = sketch.tokens;
  own.tokens_by_row = sketch.tokens_by_row;
  for (int i = 0; i < static_cast<int>(blocks.places.size()); ++i) {
    const FfnPlace& place = blocks.places[static_cast<std::size_t>(i)];
    for (const FfnPart part : parts) {
      const Block* found = find_part(sketch, place, part);
      if (found == nullptr) continue;
      own.blocks.push_back(*found);
      own.blocks.back().role = role_of(FfnPlace::Kind::dense, part);
      own.blocks.back().layer = i;
      own.blocks.back().expert = -1;
    }
    if (place.kind != FfnPlace::Kind::dense) continue;
    for (const char* role : {"ffn.gate", "ffn.up"}) {
      const Responses* found = sketch.response(role, place.layer);
      if (found == nullptr) continue;
      own.responses.push_back(*found);
      own.responses.back().layer = i;
    }
  }
  return blocks;
}

bool holds_experts(const FfnSketch& blocks) {
  return std::ranges::any_of(
      blocks.places, [](const FfnPlace& place) { return place.kind != FfnPlace::Kind::dense; });
}

// Neurons of a larger block under the numbers that the smaller one samples; false where
// a value is not finite, and nothing changes.
Result<bool> read_as_sampled(Block& block, const Side& side, const FfnPlace& place,
                             const std::vector<std::uint64_t>& sampled) {
  const bool down = block.role == "ffn.down";
  const CanonicalTensor* tensor = find_part(*side.weights, place, ffn_part(block.role));
  if (tensor == nullptr) return false;
  auto values =
      read_block(*side.weights, *tensor, down ? block.rows : sampled, down ? sampled : block.cols);
  if (!values) return std::unexpected(std::move(values.error()));
  if (!std::ranges::all_of(*values, [](float value) { return std::isfinite(value); })) return false;
  (down ? block.cols : block.rows) = sampled;
  block.values = std::move(*values);
  block.steps.clear();
  return true;
}

}  // namespace

std::vector<std::uint64_t> token_rows(const Fingerprint& sketch) {
  std::vector<std::uint64_t> rows;
  rows.reserve(sketch.tokens.size());
  for (const SampledToken& token : sketch.tokens) rows.push_back(token.row);
  return rows;
}

std::pair<int, int> FfnSketch::blocks_of(int layer) const {
  const auto range = std::ranges::equal_range(places, layer, {}, &FfnPlace::layer);
  return {static_cast<int>(range.begin() - places.begin()),
          static_cast<int>(range.end() - places.begin())};
}

int FfnSketch::number_of(const FfnPlace& place) const {
  const auto at = std::ranges::lower_bound(places, place);
  return at == places.end() || *at != place ? -1 : static_cast<int>(at - places.begin());
}

Result<FfnSketch> ffn_sketch(const Side& side, const Fingerprint& other) {
  FfnSketch blocks = from_sketch(side.sketch);
  const Block* smallest = smallest_up(other);
  const bool any_experts = has_experts(side.sketch) || has_experts(other);
  if (side.weights == nullptr || smallest == nullptr || !any_experts) return blocks;
  std::set<int> read_again;
  for (Block& block : blocks.sketch.blocks) {
    const bool down = block.role == "ffn.down";
    const auto& neurons = down ? block.cols : block.rows;
    const std::uint64_t count = down ? block.full_cols : block.full_rows;
    if (count <= smallest->full_rows) continue;
    if (shared_places(neurons, smallest->rows).subject.size() >= fewest_shared) continue;
    const FfnPlace& place = blocks.places[static_cast<std::size_t>(block.layer)];
    const auto read = read_as_sampled(block, side, place, smallest->rows);
    if (!read) return std::unexpected(read.error());
    if (*read) read_again.insert(block.layer);
  }
  std::erase_if(blocks.sketch.responses,
                [&](const Responses& each) { return read_again.contains(each.layer); });
  return blocks;
}

void add_read_answers(const NeuronAnswers& seen, int block, std::vector<Responses>& responses) {
  const auto add = [&](FfnPart part, const std::vector<float>& values) {
    responses.push_back({.role = std::string(role_of(FfnPlace::Kind::dense, part)),
                         .layer = block,
                         .units = seen.neurons,
                         .values = values});
  };
  if (seen.gated) add(FfnPart::gate, seen.first);
  add(FfnPart::up, seen.gated ? seen.second : seen.first);
}

std::optional<Problem> add_answers(FfnSketch& blocks, const Side& side, unsigned threads,
                                   const Progress& progress) {
  if (side.weights == nullptr) return std::nullopt;
  std::vector<int> missing;
  AnswerRequest request{.tokens = token_rows(blocks.sketch)};
  for (int i = 0; i < static_cast<int>(blocks.places.size()); ++i) {
    const Block* up = blocks.sketch.block("ffn.up", i);
    if (up == nullptr || blocks.sketch.response("ffn.up", i) != nullptr) continue;
    missing.push_back(i);
    request.places.push_back(blocks.places[static_cast<std::size_t>(i)]);
    request.neurons.push_back(up->rows);
  }
  const auto answers = neuron_answers(*side.weights, request, threads, progress);
  if (!answers) return answers.error();
  for (std::size_t i = 0; i < answers->size(); ++i) {
    if ((*answers)[i].neurons.empty()) continue;
    add_read_answers((*answers)[i], missing[i], blocks.sketch.responses);
  }
  return std::nullopt;
}

FfnPairs::FfnPairs(FfnSketch subject, FfnSketch base)
    : subject_(std::move(subject)),
      base_(std::move(base)),
      any_experts_(holds_experts(subject_) || holds_experts(base_)),
      pairs_(subject_.sketch, base_.sketch) {}

template <class CellOfBlocks>
Cell FfnPairs::best(int a, int b, const CellOfBlocks& cell) const {
  const auto [first, last] = subject_.blocks_of(a);
  const auto [base_first, base_last] = base_.blocks_of(b);
  Cell best;
  for (int i = first; i < last; ++i) {
    for (int j = base_first; j < base_last; ++j) {
      const Cell each = cell(i, j);
      if (best.witnesses == 0 || each.matched > best.matched) best = each;
    }
  }
  return best;
}

Cell FfnPairs::neurons(int a, int b, bool screened) const {
  return best(a, b, [&](int i, int j) { return pairs_.neurons(i, j, screened); });
}

Cell FfnPairs::responses(int a, int b, bool screened) const {
  return best(a, b, [&](int i, int j) { return pairs_.responses(i, j, screened); });
}

std::size_t FfnPairs::choices(int a, int b) const {
  const auto [first, last] = subject_.blocks_of(a);
  const auto [base_first, base_last] = base_.blocks_of(b);
  return static_cast<std::size_t>(std::max(1, (last - first) * (base_last - base_first)));
}

double FfnPairs::log10_choices(const LayerMap& map) const {
  double total = 0;
  for (const auto& [a, b] : map) total += std::log10(static_cast<double>(choices(a, b)));
  return total;
}

double FfnPairs::log10_maps(int subject_layers, int base_layers) const {
  double total = 0;
  for (int a = 0; a < subject_layers; ++a) {
    std::size_t ways = 1;
    for (int b = 0; b < base_layers; ++b) ways += choices(a, b);
    total += std::log10(static_cast<double>(ways));
  }
  return total;
}

std::optional<Witness> FfnPairs::witness(int a, int b) const {
  const auto [first, last] = subject_.blocks_of(a);
  const auto [base_first, base_last] = base_.blocks_of(b);
  if (first == last || base_first == base_last) return std::nullopt;
  return neuron_witness(subject_.sketch, first, base_.sketch, base_first);
}

}  // namespace pedigree
