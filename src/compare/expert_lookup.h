// Experts found by content, where no neuron keeps its number: split from a dense block,
// re-dealt, or partly new (neuron_lookup.h).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "compare/alignment.h"
#include "compare/pairing.h"

namespace pedigree {

struct ExpertLookup {
  bool needs_weights = false;          // and a side has none
  std::vector<FfnMatch> matches = {};  // with at least a fifth of the neurons found
  LayerMap layers = {};                // that were looked at
  Cell best = {};                      // the best held-out pairing of all
  std::size_t cells = 0;               // block pairs tried
  std::size_t looked_up = 0;           // neurons, over the matches
  std::size_t found = 0;
};

// By content, those blocks that `known` has no answer for. Both sides' weights are needed;
// reads the blocks of all mapped layers, or of evenly spread ones of large models.
Result<ExpertLookup> look_up_experts(const Side& subject, const Side& base, const LayerMap& layers,
                                     const std::vector<FfnMatch>& known, unsigned threads);

// Context and certificate in one row; nothing when there was no block to ask for.
std::optional<Evidence> lookup_evidence(const ExpertLookup& lookup, double log10_tries);

}  // namespace pedigree
