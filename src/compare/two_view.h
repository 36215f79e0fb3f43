// Two-view agreement: neurons matched twice, by two views that say different
// things about them (neuron_views.h), after a disguise has re-dealt both the
// neurons and the residual coordinates (statistics.md section 5).
//
// Its null is an assumption, not a symmetry: a neuron's two views could in
// principle be correlated in independent models. So a count only speaks when it
// is far above the same count between layers that cannot correspond.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "compare/assignment.h"
#include "compare/compare.h"
#include "compare/neuron_views.h"
#include "compare/witness.h"

namespace pedigree {

using NeuronPairs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // (subject, base)

// Neurons given the same partner by both views; none between a gated and a plain block.
NeuronPairs agreeing_neurons(const NeuronViews& subject, const NeuronViews& base);

struct BlockAgreement {
  FfnPlace subject = {};
  FfnPlace base = {};
  NeuronPairs neurons = {};
  std::size_t looked_at = 0;  // neurons of the block that has fewer
  bool in_part = false;       // of one block only some neurons were at hand
};

struct TwoView {
  LayerMap map = {};                        // layers whose agreement passes every rule
  std::vector<NeuronPairs> neurons = {};    // one list per entry of map, of its best block pair
  std::vector<BlockAgreement> blocks = {};  // all block pairs that pass, by (subject, base)
  std::size_t mapped = 0;                   // layers that could have passed
  std::size_t smallest = 0;                 // agreement among the passing layers
  std::size_t control = 0;                  // largest agreement off the map
  std::size_t control_cells = 0;
  std::size_t needed = 0;     // agreement asked of a block pair, at its largest
  std::size_t largest = 0;    // agreement of a block pair that was asked
  std::size_t looked_at = 0;  // neurons of the smaller side, largest layer
  bool decides = false;       // at least half of the layers pass
  bool base_repeats = false;  // layers of the base are copies of each other, re-dealt apart
  // Every subject layer had each of its blocks, and each of the base's or none, to choose from.
  double log10_maps = 0;
};

// `duplicates(side, i, j)`: are layers i and j of that side (0 subject, 1 base)
// copies of each other? Such cells are no control, nor are blocks of one layer,
// which may all be copies of one dense block.
TwoView two_view(const std::vector<NeuronViews>& subject, const std::vector<NeuronViews>& base,
                 const std::function<bool(int side, int i, int j)>& duplicates, unsigned threads);

// Recorded maximum agreement between independently trained models, over three
// families of small decoders (docs/decisions/two-view): the count must be five
// times this as well.
inline constexpr std::size_t recorded_independent_maximum = 5;

// More than unrelated models agree on, yet no decision: three times both maxima.
bool leaves_doubt(const TwoView& seen);

}  // namespace pedigree
