// What is left to go by once residual coordinates were rotated and neurons re-dealt: the
// neurons of feed-forward blocks by how they answer tokens, seen twice (neuron_answers.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compare/assignment.h"
#include "compare/compare.h"
#include "compare/layer_pairs.h"
#include "fingerprint/ffn_place.h"
#include "fingerprint/neuron_answers.h"

namespace pedigree {

// The neurons looked at in one feed-forward block, neurons × tokens.
struct NeuronViews {
  FfnPlace place = {};
  std::vector<std::uint64_t> neurons = {};  // indices in the block, ascending
  Matrix first = {};
  Matrix second = {};              // less what the first explains within each neuron
  bool gated = true;               // then a neuron may carry either sign in the second
  std::uint64_t full_neurons = 0;  // of the block; 0 where it is not known

  bool is_in_part() const { return neurons.size() < full_neurons; }
};

// The answers at some of their tokens, each neuron's centred over them, and the second
// regressed on the first.
std::vector<NeuronViews> views_of(const std::vector<NeuronAnswers>& answers,
                                  std::span<const std::size_t> token_places);

// Second views less what the first explains, neuron by neuron.
void regress_on_first(const Matrix& first, Matrix& second);

// Has the side weights, or a deep part of this scheme that holds all it is asked for?
bool can_be_viewed(const Side& side);

struct ViewsOfBoth {
  std::vector<NeuronViews> subject = {};
  std::vector<NeuronViews> base = {};
};

// On the tokens both have. Of large blocks 256 neurons on the side with fewer, to be
// looked up among 768 of the other (decision 9). Both sides must be viewable.
Result<ViewsOfBoth> views_of_both(const Side& subject, const Side& base, const CommonTokens& tokens,
                                  const CompareOptions& options);

// The blocks that `model` is viewed through beside `other`: all dense and shared ones,
// and of the experts of a layer all up to eight. Of more a sample by hash, 1.5 √n of n, so
// that two models whose experts were re-dealt share some in nine of ten layers; four
// where the other side has none. Of over 128 blocks those of evenly spread layers,
// where both models have the same number of layers.
std::vector<FfnPlace> viewed_places(const Model& model, const Fingerprint& other);

// The same beside a fingerprint: of experts also those whose numbers it keeps, in the layers
// where it keeps some.
std::vector<FfnPlace> places_beside(const Model& model, const Fingerprint& stored);

// Of the block that was asked; what a sketch keeps of a layer's own says so itself.
std::uint64_t full_neurons(const Fingerprint& sketch, const NeuronAnswers& block);

}  // namespace pedigree
