// How the neurons of feed-forward blocks answer tokens, from weights: what is left to
// go by once residual coordinates were rotated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "compare/assignment.h"
#include "compare/ffn_place.h"
#include "model/model.h"

namespace pedigree {

// Responses of the neurons looked at in one feed-forward block, neurons × tokens.
struct NeuronViews {
  FfnPlace place = {};
  std::vector<std::uint64_t> neurons = {};  // indices in the block, ascending
  Matrix gate = {};
  Matrix up = {};  // what is left after regression on the neuron's own gate response
};

struct ViewRequest {
  std::vector<std::uint64_t> tokens = {};  // rows of the model's own token embedding
  std::vector<FfnPlace> places = {};
  // By place: which neurons. When empty: all of a block of up to 512, else the 256 with
  // the largest gate responses, which costs one pass over gate (16 tokens).
  std::vector<std::vector<std::uint64_t>> neurons = {};
  bool up_is_residual = true;  // regress up on gate
};

// By place; empty views for a block without gate or up, or a model without an embedding.
Result<std::vector<NeuronViews>> neuron_views(const Model& model, const ViewRequest& request,
                                              unsigned threads, const Progress& progress);

// The blocks that `model` is viewed through beside `other`: all dense and shared ones,
// and of the experts of a layer all up to eight. Of more a sample by hash, 1.5 √n of n, so
// that two models whose experts were re-dealt share some in nine of ten layers; four
// where the other side has none. Of over 128 blocks those of evenly spread layers,
// where both models have the same number of layers.
std::vector<FfnPlace> viewed_places(const Model& model, const Model& other);

}  // namespace pedigree
