// How much of a dense feed-forward block stands in the other side's experts.
#pragma once

#include <cstddef>
#include <string>

#include "compare/expert_groups.h"

namespace pedigree {

struct Cover {
  double covered = 0;         // of the dense block's neurons, mean over layers
  std::size_t looked_up = 0;  // neurons of experts that keep no numbers
  std::size_t found = 0;      // of these, in the dense block
  std::size_t targets = 0;    // different ones among their partners
  bool all_looked_up = true;
  bool in_part = false;  // neurons or experts were not at hand: shares would say too little

  bool is_division() const;  // next to no neuron stands in two experts
  bool some_are_new() const;
  bool is_incomplete() const;  // neurons of the dense block are in no expert, and none are new
};

Cover cover_of(const std::vector<LayerGroups>& layers, const FfnPairs& pairs);

std::string cover_in_words(const Cover& cover);

}  // namespace pedigree
