#include "compare/expert_matches.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "base/parallel.h"
#include "compare/dense.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t most_added = 1024;
constexpr std::size_t most_cells = 4096;  // block pairs of one layer pair

struct BlockList {
  int first = 0;
  int last = 0;

  int size() const { return last - first; }
};

BlockList list_of(const FfnSketch& sketch, int layer) {
  const auto [first, last] = sketch.blocks_of(layer);
  return {.first = first, .last = last};
}

bool concerns_experts(const FfnSketch& sketch, const BlockList& list) {
  return list.size() > 1 ||
         (list.size() == 1 &&
          sketch.places[static_cast<std::size_t>(list.first)].kind != FfnPlace::Kind::dense);
}

// ‖x − y‖² and ‖x‖‖y‖, added up over the parts of a block.
struct Separation {
  double squares = 0;
  double size = 0;

  void add(const Matrix& x, const Matrix& y) {
    const double xx = product(x.values, x.values);
    const double yy = product(y.values, y.values);
    squares += std::max(0.0, xx + yy - 2 * product(x.values, y.values));
    size += std::sqrt(xx * yy);
  }
  double relative() const { return size > 0 ? std::sqrt(squares / size) : 2; }
};

// The blocks of one layer pair, the side with more of them first.
struct LayerBlocks {
  BlockList many = {};
  BlockList few = {};
  bool subject_is_many = true;
};

std::vector<LayerBlocks> blocks_of(const FfnPairs& pairs, const LayerMap& layers) {
  std::vector<LayerBlocks> all;
  for (const auto& [a, b] : layers) {
    const BlockList mine = list_of(pairs.subject(), a);
    const BlockList theirs = list_of(pairs.base(), b);
    if (!concerns_experts(pairs.subject(), mine) && !concerns_experts(pairs.base(), theirs)) {
      continue;
    }
    const bool subject_is_many = mine.size() >= theirs.size();
    all.push_back({.many = subject_is_many ? mine : theirs,
                   .few = subject_is_many ? theirs : mine,
                   .subject_is_many = subject_is_many});
  }
  return all;
}

// Blocks of unlike size are never each other's neuron by neuron, even if the first
// of a split keeps the numbers.
bool same_size(const FfnPairs& pairs, int i, int j) {
  const Block* a = pairs.subject().sketch.block("ffn.up", i);
  const Block* b = pairs.base().sketch.block("ffn.up", j);
  return a != nullptr && b != nullptr && a->full_rows == b->full_rows;
}

struct Standing {
  int few = -1;
  Cell cell = {};
  double distance = 0;
  bool own_number = false;
};

bool has_own_number(const FfnPairs& pairs, int i, int j) {
  const FfnPlace& mine = pairs.subject().places[static_cast<std::size_t>(i)];
  const FfnPlace& theirs = pairs.base().places[static_cast<std::size_t>(j)];
  return mine.kind == theirs.kind && mine.expert == theirs.expert;
}

struct BlockPair {
  int many = 0;
  int few = 0;
};

std::optional<Standing> standing_of(const FfnPairs& pairs, const LayerBlocks& layer,
                                    BlockPair blocks, std::size_t cells, Seen by) {
  const int i = layer.subject_is_many ? blocks.many : blocks.few;
  const int j = layer.subject_is_many ? blocks.few : blocks.many;
  if (!same_size(pairs, i, j)) return std::nullopt;
  const Cell cell =
      by == Seen::answers ? pairs.block_responses(i, j) : pairs.block_neurons(i, j, true);
  if (!stands_out(cell, cells)) return std::nullopt;
  return Standing{.few = blocks.few,
                  .cell = cell,
                  .distance = block_distance(pairs, i, j, by),
                  .own_number = has_own_number(pairs, i, j)};
}

// The block of the other side that `many` stands out with and is nearest to.
std::optional<FfnMatch> indexed_match(const FfnPairs& pairs, const LayerBlocks& layer, int many,
                                      std::size_t cells, Seen by) {
  std::optional<Standing> best;
  std::optional<Standing> own;
  for (int few = layer.few.first; few < layer.few.last; ++few) {
    const auto standing = standing_of(pairs, layer, {.many = many, .few = few}, cells, by);
    if (!standing) continue;
    if (!best || standing->distance < best->distance) best = standing;
    if (standing->own_number) own = standing;
  }
  if (!best) return std::nullopt;
  const bool as_many = layer.many.size() == layer.few.size();
  if (as_many && own && best->distance >= clearly_nearer * own->distance) best = own;
  const auto i = static_cast<std::size_t>(layer.subject_is_many ? many : best->few);
  const auto j = static_cast<std::size_t>(layer.subject_is_many ? best->few : many);
  return FfnMatch{.subject = pairs.subject().places[i],
                  .base = pairs.base().places[j],
                  .looked_up = best->cell.units,
                  .found = best->cell.matched,
                  .distance = best->distance};
}

const Block* sibling_part(const FfnSketch& blocks, const FfnPlace& place, std::string_view role,
                          const CanonicalTensor& tensor) {
  for (std::size_t i = 0; i < blocks.places.size(); ++i) {
    if (blocks.places[i].kind != place.kind) continue;
    const Block* block = blocks.sketch.block(role, static_cast<int>(i));
    if (block != nullptr && block->full_rows == tensor.rows && block->full_cols == tensor.cols) {
      return block;
    }
  }
  return nullptr;
}

// Parts of one block, sampled like a block of its kind that the sketch has.
Result<std::vector<Block>> sampled_parts(const FfnSketch& blocks, const Model& model,
                                         const FfnPlace& place) {
  std::vector<Block> parts;
  for (const FfnPart part : {FfnPart::gate, FfnPart::up, FfnPart::down}) {
    const CanonicalTensor* tensor = find_part(model, place, part);
    if (tensor == nullptr) continue;
    const auto role = role_of(FfnPlace::Kind::dense, part);
    const Block* sibling = sibling_part(blocks, place, role, *tensor);
    if (sibling == nullptr) continue;
    auto values = read_block(model, *tensor, sibling->rows, sibling->cols);
    if (!values) return std::unexpected(std::move(values.error()));
    if (!std::ranges::all_of(*values, [](float value) { return std::isfinite(value); })) continue;
    Block block = *sibling;
    block.element_type = model.type_of(*tensor).id;
    block.values = std::move(*values);
    block.steps.clear();
    parts.push_back(std::move(block));
  }
  return parts;
}

std::vector<FfnPlace> missing_places(const FfnSketch& blocks, const Model& model) {
  std::vector<FfnPlace> missing;
  std::ranges::set_difference(ffn_places(model), blocks.places, std::back_inserter(missing));
  if (missing.size() <= most_added) return missing;
  const auto depth = static_cast<std::size_t>(model.architecture.layers);
  const auto layers =
      spread_places(depth, std::max<std::size_t>(1, most_added * depth / missing.size()));
  std::erase_if(missing, [&](const FfnPlace& place) {
    return !std::ranges::binary_search(layers, static_cast<std::size_t>(place.layer));
  });
  return missing;
}

std::size_t most_in_a_layer(const std::vector<FfnPlace>& places) {
  std::map<int, std::size_t> counts;
  std::size_t most = 0;
  for (const FfnPlace& place : places) most = std::max(most, ++counts[place.layer]);
  return most;
}

}  // namespace

Matrix answers_at(const Responses& answers, std::span<const std::size_t> units, std::size_t tokens,
                  std::span<const std::size_t> places) {
  Matrix part(units.size(), places.size());
  for (std::size_t i = 0; i < part.rows; ++i) {
    for (std::size_t j = 0; j < part.cols; ++j) {
      part.at(i, j) = static_cast<double>(answers.values[units[i] * tokens + places[j]]);
    }
  }
  return part;
}

double block_distance(const FfnPairs& pairs, int subject_block, int base_block, Seen by) {
  const Fingerprint& mine = pairs.subject().sketch;
  const Fingerprint& theirs = pairs.base().sketch;
  Separation apart;
  if (by == Seen::answers) {
    const CommonTokens tokens = common_tokens(mine, theirs);
    for (const char* role : {"ffn.gate", "ffn.up"}) {
      const Responses* a = mine.response(role, subject_block);
      const Responses* b = theirs.response(role, base_block);
      if (a == nullptr || b == nullptr) continue;
      const auto units = shared_places(a->units, b->units);
      apart.add(answers_at(*a, units.subject, mine.tokens.size(), tokens.subject_places),
                answers_at(*b, units.base, theirs.tokens.size(), tokens.base_places));
    }
    return apart.relative();
  }
  for (const char* role : {"ffn.gate", "ffn.up", "ffn.down"}) {
    const Block* a = mine.block(role, subject_block);
    const Block* b = theirs.block(role, base_block);
    if (a == nullptr || b == nullptr) continue;
    const auto rows = shared_places(a->rows, b->rows);
    const auto cols = shared_places(a->cols, b->cols);
    apart.add(part_of(*a, rows.subject, cols.subject), part_of(*b, rows.base, cols.base));
  }
  return apart.relative();
}

Result<FfnSketch> with_all_experts(FfnSketch blocks, const Side& side, const FfnSketch& other) {
  if (side.weights == nullptr) return blocks;
  const auto all = ffn_places(*side.weights);
  if (most_in_a_layer(all) * most_in_a_layer(other.places) > most_cells) return blocks;
  std::map<FfnPlace, std::vector<Block>> parts;
  for (Block& block : blocks.sketch.blocks) {
    parts[blocks.places[static_cast<std::size_t>(block.layer)]].push_back(block);
  }
  for (const FfnPlace& place : missing_places(blocks, *side.weights)) {
    auto added = sampled_parts(blocks, *side.weights, place);
    if (!added) return std::unexpected(std::move(added.error()));
    if (!added->empty()) parts[place] = std::move(*added);
  }
  blocks.places.clear();
  blocks.sketch.blocks.clear();
  blocks.sketch.responses.clear();  // their numbers are others now
  for (auto& [place, own] : parts) {
    for (Block& block : own) {
      block.layer = static_cast<int>(blocks.places.size());
      blocks.sketch.blocks.push_back(std::move(block));
    }
    blocks.places.push_back(place);
  }
  blocks.sketch.architecture.layers = blocks.places.size();
  blocks.has_all_experts = true;
  return blocks;
}

std::vector<FfnMatch> indexed_matches(const FfnPairs& pairs, const LayerMap& layers, Seen by,
                                      unsigned threads) {
  const auto all = blocks_of(pairs, layers);
  std::size_t cells = 0;
  std::vector<std::pair<std::size_t, int>> asked;  // (layer, block of the side with more)
  for (std::size_t k = 0; k < all.size(); ++k) {
    cells +=
        static_cast<std::size_t>(all[k].many.size()) * static_cast<std::size_t>(all[k].few.size());
    for (int i = all[k].many.first; i < all[k].many.last; ++i) asked.emplace_back(k, i);
  }
  std::vector<std::optional<FfnMatch>> answers(asked.size());
  const auto failed =
      parallel_for(asked.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        answers[i] = indexed_match(pairs, all[asked[i].first], asked[i].second, cells, by);
        return std::nullopt;
      });
  check(!failed, "pairing blocks cannot fail");
  std::vector<FfnMatch> matches;
  for (auto& answer : answers) {
    if (answer) matches.push_back(std::move(*answer));
  }
  std::ranges::sort(matches, {},
                    [](const FfnMatch& match) { return std::pair(match.subject, match.base); });
  return matches;
}

}  // namespace pedigree
