// Matched feed-forward blocks, layer by layer, around those of the side that has fewer.
#pragma once

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

#include "compare/alignment.h"
#include "compare/ffn_pairs.h"

namespace pedigree {

struct LayerGroups {
  std::pair<int, int> layers = {};
  bool subject_is_many = true;
  std::size_t many = 0;  // blocks in full, whether or not they could be looked at
  std::size_t few = 0;
  bool complete = true;  // all of them could be
  bool few_is_dense = false;
  std::map<FfnPlace, std::vector<FfnMatch>> groups = {};  // nearest first

  bool each_has_one() const;  // every block of the side with fewer has one counterpart
  bool each_has_several() const;
};

// Layers where at least one side holds experts. Copies of one block all resemble each
// other: where an expert was left out, what it resembles most is another that was
// kept. So between experts a block that has a clearly nearest counterpart has
// that one alone, and `matches` keeps no other.
std::vector<LayerGroups> grouped_experts(const LayerMap& layers, const FfnPairs& pairs,
                                         std::vector<FfnMatch>& matches);

// Are all blocks of layers that hold experts at hand? A sketch keeps some of many experts.
bool holds_all_experts(const FfnSketch& blocks);

// Share of the neurons looked at that have their partner in the other block.
double share_of(const FfnMatch& match);

}  // namespace pedigree
