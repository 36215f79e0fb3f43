#include "compare/expert_cover.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace pedigree {
namespace {

constexpr double nearly_all = 0.95;
constexpr double plainly_less = 0.9;

double number(std::size_t count) { return static_cast<double>(count); }

std::uint64_t neurons_of(const FfnSketch& sketch, const FfnPlace& place) {
  const Block* up = sketch.sketch.block("ffn.up", sketch.number_of(place));
  return up == nullptr ? 0 : up->full_rows;
}

Cover cover_of_block(const LayerGroups& layer, const FfnPlace& few,
                     const std::vector<FfnMatch>& matches, const FfnPairs& pairs) {
  Cover cover;
  const FfnSketch& many_blocks = layer.subject_is_many ? pairs.subject() : pairs.base();
  const FfnSketch& few_blocks = layer.subject_is_many ? pairs.base() : pairs.subject();
  std::set<std::uint64_t> targets;
  double estimate = 0;
  for (const FfnMatch& match : matches) {
    if (match.by_index) {
      cover.covered = std::max(cover.covered, share_of(match));
      continue;
    }
    const auto size = neurons_of(many_blocks, layer.subject_is_many ? match.subject : match.base);
    cover.all_looked_up = cover.all_looked_up && match.looked_up >= size;
    cover.in_part = cover.in_part || match.in_part || !layer.complete;
    cover.looked_up += match.looked_up;
    cover.found += match.neurons.size();
    estimate += share_of(match) * static_cast<double>(size);
    for (const auto& [mine, theirs] : match.neurons) {
      targets.insert(layer.subject_is_many ? theirs : mine);
    }
  }
  cover.targets = targets.size();
  const auto all = static_cast<double>(neurons_of(few_blocks, few));
  if (targets.empty() || all <= 0) return cover;
  const double distinct = number(cover.targets) / number(cover.found);
  const double share =
      cover.all_looked_up ? number(cover.targets) / all : std::min(1.0, distinct * estimate / all);
  cover.covered = std::max(cover.covered, share);
  return cover;
}

}  // namespace

bool Cover::is_division() const { return number(targets) >= nearly_all * number(found); }

bool Cover::some_are_new() const { return number(found) < plainly_less * number(looked_up); }

bool Cover::is_incomplete() const {
  return found > 0 && all_looked_up && !in_part &&
         number(found) >= nearly_all * number(looked_up) && covered < plainly_less;
}

Cover cover_of(const std::vector<LayerGroups>& layers, const FfnPairs& pairs) {
  Cover total;
  std::size_t blocks = 0;
  for (const LayerGroups& layer : layers) {
    for (const auto& [few, matches] : layer.groups) {
      const Cover cover = cover_of_block(layer, few, matches, pairs);
      ++blocks;
      total.covered += cover.covered;
      total.looked_up += cover.looked_up;
      total.found += cover.found;
      total.targets += cover.targets;
      total.in_part = total.in_part || cover.in_part;
      total.all_looked_up = total.all_looked_up && cover.all_looked_up;
    }
  }
  if (blocks > 0) total.covered = std::round(total.covered / number(blocks) * 1e4) / 1e4;
  return total;
}

std::string cover_in_words(const Cover& cover) {
  std::string text = fmt::format(
      "{} of {} neurons of experts that were looked up are neurons of the other side's "
      "feed-forward blocks, {} different ones; the experts hold {}{:.0f} % of those blocks' "
      "neurons.",
      cover.found, cover.looked_up, cover.targets, cover.all_looked_up ? "" : "about ",
      100 * cover.covered);
  if (cover.found == cover.targets && cover.all_looked_up && cover.covered >= 1) {
    text +=
        " Every neuron stands in exactly one expert: the experts divide the block among them, "
        "which does not happen by chance.";
  }
  return text;
}

}  // namespace pedigree
