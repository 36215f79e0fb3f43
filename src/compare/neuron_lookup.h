// Neurons looked up by content, where residual coordinates are still those of the
// other model: experts split from a dense block, re-dealt or partly new.
//
// A partner chosen by likeness is likely to look alike, so the choice cannot be its
// own evidence. Half of the residual dimensions choose the partners; on the other
// half the dimensions themselves are paired by index, through the neurons found.
// The choice says nothing about how the second half was numbered, so under the
// null that pairing is uniformly random and P(k or more pair) ≤ 1/k! is exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compare/pairing.h"
#include "compare/two_view.h"
#include "fingerprint/ffn_place.h"

namespace pedigree {

// Neurons as rows over some residual dimensions.
struct NeuronRows {
  std::vector<std::uint64_t> neurons = {};  // indices in the block
  Matrix gate = {};                         // empty where the block has none
  Matrix up = {};
  Matrix down = {};  // columns of down
};

// Of all neurons of a block when `neurons` is empty. One pass over gate and up, and over
// as many rows of down as there are dimensions.
Result<NeuronRows> neuron_rows(const Model& model, const FfnPlace& place,
                               const std::vector<std::uint64_t>& neurons,
                               const std::vector<std::uint64_t>& dimensions);

// Which neurons of a block to look up: all of up to 512; of more the 128 with the longest
// gate rows (one pass over gate), which copies of one block have in common.
Result<std::vector<std::uint64_t>> neurons_to_look_up(const Model& model, const FfnPlace& place);

// Up to 128 residual dimensions, evenly spread.
std::vector<std::uint64_t> looked_at_dimensions(std::uint64_t width);

struct Lookup {
  std::size_t looked_up = 0;
  NeuronPairs pairs = {};  // (neuron, partner), clear and the same by both halves
  double likeness = 0;     // mean over the pairs, on the second half
  Cell held_out = {};      // dimensions of the second half, paired by index
};

// Each of `few` among all of `many`; both on the same dimensions.
Lookup look_up(const NeuronRows& few, const NeuronRows& many);

}  // namespace pedigree
