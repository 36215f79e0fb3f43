// Couplings: neurons recognised after the residual basis, the order of the neurons and
// the embeddings were all changed, so that neither indices nor tokens are left to go by
// (statistics.md section 5).
//
// How strongly neurons couple to the rest of their model (coupling_strengths.h) proposes
// partners in half of the layers. These anchors then take the place of tokens: neurons of
// the other half are seen by how their two rows couple to the anchors' first rows, and
// matched twice, as two_view.h does with answers to tokens. So what proposes never
// judges its own proposals, and the count of agreeing neurons has two-view's assumed null
// and stands under two-view's rules.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "compare/anchors.h"
#include "compare/two_view.h"

namespace pedigree {

// Neurons (by their place) that are proposed to correspond, and how alike they are.
struct Proposal {
  std::size_t subject = 0;
  std::size_t base = 0;
  double cosine = 0;
};

// One a neuron of the side with fewer, from all probes both have; none under `fewest_probes`.
std::vector<Proposal> proposed_partners(const CoupledNeurons& subject, const CoupledNeurons& base);
inline constexpr std::size_t fewest_probes = 12;

struct Couplings {
  bool applicable = false;  // there were anchors on either half
  std::size_t probes = 0;   // of the layer that has fewest
  std::size_t anchors = 0;  // of the half that has fewest
  // What both halves saw, each with the other's anchors; decides when half of the layers
  // do. The largest control and the largest agreement asked for are those of either half.
  TwoView seen = {};
};

// Layers in order on both sides. Those of one number stand against each other where
// `same_depth`; otherwise each subject layer with the one it agrees best with. Of a side with
// products only, a layer is judged where they reach all anchors.
Couplings couplings(const CoupledSide& subject, const CoupledSide& base, bool same_depth,
                    const std::function<bool(int side, int i, int j)>& duplicates,
                    unsigned threads);

// Corresponding neurons.
struct Anchors {
  AnchorPlaces subject = {};
  AnchorPlaces base = {};
};

// What `seen` paired, as anchors for the layers that were not looked at.
Anchors anchors_of(const TwoView& seen, const CoupledSide& subject, const CoupledSide& base);

}  // namespace pedigree
