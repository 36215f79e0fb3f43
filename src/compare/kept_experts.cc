#include "compare/kept_experts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "compare/layer_pairs.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::size_t chosen_beside = 768;
constexpr std::uint64_t expected_in_common = 50;  // twice what two views must agree on

Result<std::vector<NeuronAnswers>> answers_of(const Side& side, const Side& other,
                                              const CompareOptions& options) {
  if (side.weights == nullptr) return side.sketch.answers;
  auto answers = neuron_answers(*side.weights,
                                {.tokens = token_rows(side.sketch),
                                 .places = places_beside(*side.weights, other.sketch),
                                 .chosen = chosen_beside},
                                options.threads, options.progress);
  if (!answers) return answers;
  std::erase_if(*answers, [](const NeuronAnswers& block) {
    return block.neurons.empty() || !all_finite(block.first) || !all_finite(block.second);
  });
  return answers;
}

template <class Blocks>
std::set<int> expert_layers(const Blocks& blocks) {
  std::set<int> layers;
  for (const FfnPlace& place : blocks) {
    if (place.kind != FfnPlace::Kind::dense) layers.insert(place.layer);
  }
  return layers;
}

std::vector<FfnPlace> places_of(const std::vector<NeuronViews>& views) {
  std::vector<FfnPlace> places;
  places.reserve(views.size());
  for (const NeuronViews& block : views) places.push_back(block.place);
  return places;
}

bool lacks_layers(const Side& side, const std::vector<NeuronViews>& views) {
  if (side.weights != nullptr || !has_experts(side.sketch)) return false;
  return expert_layers(places_of(views)).size() < expert_layers(ffn_places(side.sketch)).size();
}

// The larger block's list may hold too few neurons of what a smaller one was made from.
bool lacks_neurons(const NeuronViews& one, const NeuronViews& other) {
  const NeuronViews& large = one.full_neurons >= other.full_neurons ? one : other;
  const NeuronViews& small = one.full_neurons >= other.full_neurons ? other : one;
  if (large.neurons.size() >= large.full_neurons) return false;
  return large.neurons.size() * small.full_neurons < expected_in_common * large.full_neurons;
}

std::map<int, std::uint64_t> experts_by_layer(const std::vector<NeuronViews>& views) {
  std::map<int, std::uint64_t> counts;
  for (const NeuronViews& block : views) {
    if (block.place.kind == FfnPlace::Kind::expert) ++counts[block.place.layer];
  }
  return counts;
}

// So few experts on both sides that renumbered ones would have none in common?
bool lacks_experts(const Side& subject, const Side& base, const ViewsOfBoth& views) {
  const std::uint64_t all =
      std::max(subject.sketch.architecture.experts, base.sketch.architecture.experts);
  const auto theirs = experts_by_layer(views.base);
  return std::ranges::any_of(experts_by_layer(views.subject), [&](const auto& mine) {
    const auto at = theirs.find(mine.first);
    return at != theirs.end() && mine.second * at->second < all;
  });
}

std::size_t blocks_in(const std::vector<NeuronViews>& views, int layer) {
  return static_cast<std::size_t>(
      std::ranges::count(views, layer, [](const NeuronViews& block) { return block.place.layer; }));
}

}  // namespace

bool go_by_kept_answers(const Side& subject, const Side& base) {
  return (subject.weights == nullptr || base.weights == nullptr) &&
         (has_experts(subject.sketch) || has_experts(base.sketch)) && can_be_viewed(subject) &&
         can_be_viewed(base);
}

Result<FfnSketch> answered_blocks(const Side& side, const Side& other,
                                  const CompareOptions& options) {
  const auto answers = answers_of(side, other, options);
  if (!answers) return std::unexpected(answers.error());
  FfnSketch blocks;
  Fingerprint& own = blocks.sketch;
  own.scheme = side.sketch.scheme;
  own.architecture = side.sketch.architecture;
  own.tokens = side.sketch.tokens;
  own.tokens_by_row = side.sketch.tokens_by_row;
  for (const NeuronAnswers& block : *answers) {
    const auto number = static_cast<int>(blocks.places.size());
    own.blocks.push_back({.role = std::string(role_of(FfnPlace::Kind::dense, FfnPart::up)),
                          .layer = number,
                          .full_rows = full_neurons(side.sketch, block),
                          .full_cols = own.architecture.hidden});
    add_read_answers(block, number, own.responses);
    blocks.places.push_back(block.place);
  }
  own.architecture.layers = blocks.places.size();
  return blocks;
}

std::string kept_too_little(const Side& subject, const Side& base, const ViewsOfBoth& views) {
  if (!go_by_kept_answers(subject, base)) return {};
  const bool same_depth = subject.sketch.architecture.layers == base.sketch.architecture.layers;
  if (!same_depth && (lacks_layers(subject, views.subject) || lacks_layers(base, views.base))) {
    return "a fingerprint keeps answers of experts in some layers, which say too little beside a "
           "model of another depth";
  }
  if (lacks_experts(subject, base, views)) {
    return "a fingerprint keeps answers of some experts of a layer, so few that renumbered ones "
           "need not be among them";
  }
  for (const NeuronViews& mine : views.subject) {
    for (const NeuronViews& theirs : views.base) {
      if (mine.neurons.empty() || theirs.neurons.empty()) continue;
      if (same_depth && mine.place.layer != theirs.place.layer) continue;
      if (!lacks_neurons(mine, theirs)) continue;
      const auto [small, large] = std::minmax(mine.full_neurons, theirs.full_neurons);
      return fmt::format(
          "too few answers of a block of {} neurons are at hand to tell whether one of {} neurons "
          "is a part of it",
          large, small);
    }
  }
  return {};
}

Result<std::vector<FfnMatch>> redealt_matches(const Side& subject, const Side& base,
                                              const Alignment& alignment,
                                              const std::vector<FfnMatch>& known,
                                              const CompareOptions& options) {
  const CommonTokens tokens = common_tokens(subject.sketch, base.sketch);
  if (tokens.subject_rows.size() < fewest_shared) return std::vector<FfnMatch>{};
  const auto views = views_of_both(subject, base, tokens, options);
  if (!views) return std::unexpected(views.error());
  const std::map<int, int> base_layer(alignment.layers.begin(), alignment.layers.end());
  const auto are_copies = [&](int side, int i, int j) {
    return side == 0 && i != j && base_layer.contains(i) && base_layer.contains(j) &&
           base_layer.at(i) == base_layer.at(j);
  };
  const TwoView seen = two_view(views->subject, views->base, are_copies, options.threads);
  std::map<FfnPlace, FfnMatch> best;  // by block of the side with more in its layer
  for (const BlockAgreement& block : seen.blocks) {
    const auto mapped = base_layer.find(block.subject.layer);
    if (mapped == base_layer.end() || mapped->second != block.base.layer) continue;
    const bool subject_is_many =
        blocks_in(views->subject, block.subject.layer) >= blocks_in(views->base, block.base.layer);
    const auto many_of = [&](const auto& pair) {
      return subject_is_many ? pair.subject : pair.base;
    };
    const FfnPlace many = many_of(block);
    if (std::ranges::find(known, many, many_of) != known.end()) continue;
    FfnMatch& match = best[many];
    if (block.neurons.size() > match.found) match = match_of(block);
  }
  std::vector<FfnMatch> matches;
  matches.reserve(best.size());
  for (auto& [many, match] : best) matches.push_back(std::move(match));
  return matches;
}

}  // namespace pedigree
