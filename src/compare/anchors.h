// Anchors take the place of tokens: neurons of other layers, known on both sides, by whose
// first rows a neuron's two rows are seen. A side has the rows themselves or, from a
// fingerprint, their products between layers.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/neuron_views.h"
#include "fingerprint/coupling_strengths.h"
#include "fingerprint/stored_couplings.h"

namespace pedigree {

struct CoupledSide {
  std::vector<CoupledNeurons> layers = {};  // in order; without rows where products are at hand
  std::vector<CoupledPair> pairs = {};

  bool has_rows() const;
};

// All layers that are looked at, in order; without neurons where nothing is kept of one.
CoupledSide coupled_side(const StoredCouplings& stored, const std::vector<int>& looked_at);

struct AnchorPlace {
  std::size_t layer = 0;   // place among the side's layers
  std::size_t neuron = 0;  // place among the layer's neurons
};
using AnchorPlaces = std::vector<AnchorPlace>;

// First rows of anchors, row by row; empty for a side without rows.
Matrix anchor_rows(const CoupledSide& side, const AnchorPlaces& anchors);

// The neurons of a layer as the rows of anchors show them.
NeuronViews anchored_views(const CoupledNeurons& neurons, const Matrix& anchors, unsigned threads);

// Those of the layers at `places`, less the layers whose products with an anchor's are not kept.
std::vector<NeuronViews> anchored_views(const CoupledSide& side,
                                        const std::vector<std::size_t>& places,
                                        const AnchorPlaces& anchors, unsigned threads);

}  // namespace pedigree
