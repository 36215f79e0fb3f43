// Two-view agreement: neurons matched twice, by gate responses and by up
// responses, after a disguise has re-dealt both the neurons and the residual
// coordinates (statistics.md section 5).
//
// Its null is an assumption, not a symmetry: a neuron's gate and up rows could
// in principle be correlated in independent models. So up responses are first
// regressed on the neuron's own gate response, and a count only speaks when it
// is far above the same count between layers that cannot correspond.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "compare/assignment.h"
#include "compare/compare.h"
#include "compare/witness.h"
#include "model/model.h"

namespace pedigree {

// Responses of the neurons looked at in one layer, neurons × tokens.
struct NeuronViews {
  std::vector<std::uint64_t> neurons = {};  // indices in the layer, ascending
  Matrix gate = {};
  Matrix up = {};  // what is left after regression on the neuron's own gate response
};

// Costs one pass over gate (16 tokens, all neurons) when a layer has more than
// 512 neurons, then the rows of the 256 with the largest gate responses; all
// neurons otherwise. `tokens` are rows of the model's own token embedding.
Result<std::vector<NeuronViews>> neuron_views(const Model& model,
                                              std::span<const std::uint64_t> tokens,
                                              unsigned threads, const Progress& progress);

using NeuronPairs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // (subject, base)

// Neurons given the same partner by both views.
NeuronPairs agreeing_neurons(const NeuronViews& subject, const NeuronViews& base);

struct TwoView {
  LayerMap map = {};                      // layers whose agreement passes every rule
  std::vector<NeuronPairs> neurons = {};  // one list per entry of map
  std::size_t mapped = 0;                 // layers that could have passed
  std::size_t smallest = 0;               // agreement among the passing layers
  std::size_t control = 0;                // largest agreement off the map
  std::size_t control_cells = 0;
  std::size_t looked_at = 0;  // neurons of the smaller side, largest layer
  bool decides = false;       // at least half of the layers pass
};

// `duplicates(side, i, j)`: are layers i and j of that side (0 subject, 1 base)
// copies of each other? Such cells are no control.
TwoView two_view(const std::vector<NeuronViews>& subject, const std::vector<NeuronViews>& base,
                 const std::function<bool(int side, int i, int j)>& duplicates, unsigned threads);

// Recorded maximum agreement between independently trained models, over three
// families of small decoders (docs/decisions/two-view): the count must be five
// times this as well.
inline constexpr std::size_t recorded_independent_maximum = 5;

}  // namespace pedigree
