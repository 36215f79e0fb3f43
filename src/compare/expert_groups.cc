#include "compare/expert_groups.h"

#include <algorithm>

#include "compare/expert_matches.h"

namespace pedigree {
namespace {

bool holds_experts(const FfnSketch& sketch, std::pair<int, int> blocks) {
  for (int i = blocks.first; i < blocks.second; ++i) {
    if (sketch.places[static_cast<std::size_t>(i)].kind != FfnPlace::Kind::dense) return true;
  }
  return false;
}

// Blocks of a layer as the model has them; a sketch may keep some of the experts.
std::size_t full_count(const FfnSketch& sketch, std::pair<int, int> blocks) {
  std::size_t experts = 0;
  for (int i = blocks.first; i < blocks.second; ++i) {
    const bool expert = sketch.places[static_cast<std::size_t>(i)].kind == FfnPlace::Kind::expert;
    experts += expert ? 1U : 0U;
  }
  const auto kept = static_cast<std::size_t>(blocks.second - blocks.first);
  if (experts == 0 || sketch.has_all_experts) return kept;
  const auto full = static_cast<std::size_t>(sketch.sketch.architecture.experts);
  return kept - experts + std::max(experts, full);
}

LayerGroups group_of(std::pair<int, int> layers, const FfnPairs& pairs,
                     const std::vector<FfnMatch>& matches) {
  const auto mine = pairs.subject().blocks_of(layers.first);
  const auto theirs = pairs.base().blocks_of(layers.second);
  const std::size_t here = full_count(pairs.subject(), mine);
  const std::size_t there = full_count(pairs.base(), theirs);
  const auto kept = [](std::pair<int, int> blocks) {
    return static_cast<std::size_t>(blocks.second - blocks.first);
  };
  LayerGroups layer{.layers = layers, .subject_is_many = here >= there};
  layer.many = std::max(here, there);
  layer.few = std::min(here, there);
  layer.complete = kept(mine) == here && kept(theirs) == there;
  layer.few_is_dense = !(layer.subject_is_many ? holds_experts(pairs.base(), theirs)
                                               : holds_experts(pairs.subject(), mine));
  for (const FfnMatch& match : matches) {
    if (std::pair(match.subject.layer, match.base.layer) == layers) {
      layer.groups[layer.subject_is_many ? match.base : match.subject].push_back(match);
    }
  }
  for (auto& [few, group] : layer.groups) {
    std::ranges::stable_sort(group, {}, &FfnMatch::distance);
    const bool one_is_own = layer.many > layer.few && !layer.few_is_dense && group.size() > 1 &&
                            group[0].distance < clearly_nearer * group[1].distance;
    if (one_is_own) group.resize(1);
  }
  return layer;
}

}  // namespace

bool LayerGroups::each_has_one() const {
  return groups.size() == few &&
         std::ranges::all_of(groups, [](const auto& each) { return each.second.size() == 1; });
}

bool LayerGroups::each_has_several() const {
  return groups.size() == few &&
         std::ranges::all_of(groups, [](const auto& each) { return each.second.size() > 1; });
}

std::vector<LayerGroups> grouped_experts(const LayerMap& layers, const FfnPairs& pairs,
                                         std::vector<FfnMatch>& matches) {
  std::vector<LayerGroups> all;
  std::vector<FfnMatch> kept;
  for (const auto& [a, b] : layers) {
    if (!holds_experts(pairs.subject(), pairs.subject().blocks_of(a)) &&
        !holds_experts(pairs.base(), pairs.base().blocks_of(b))) {
      continue;
    }
    all.push_back(group_of({a, b}, pairs, matches));
    for (const auto& [few, group] : all.back().groups) {
      kept.insert(kept.end(), group.begin(), group.end());
    }
  }
  std::ranges::sort(kept, {},
                    [](const FfnMatch& match) { return std::pair(match.subject, match.base); });
  matches = std::move(kept);
  return all;
}

bool holds_all_experts(const FfnSketch& blocks) {
  return std::ranges::all_of(blocks.places, [&](const FfnPlace& place) {
    const auto layer = blocks.blocks_of(place.layer);
    return static_cast<std::size_t>(layer.second - layer.first) == full_count(blocks, layer);
  });
}

double share_of(const FfnMatch& match) {
  if (match.looked_up == 0) return 0;
  return static_cast<double>(match.found) / static_cast<double>(match.looked_up);
}

}  // namespace pedigree
