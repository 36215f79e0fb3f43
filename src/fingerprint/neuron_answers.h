// How FFN neurons answer common tokens, twice over: two descriptions of each neuron
// that no change of the residual basis alters and that say different things about it.
//
// Gated MLPs: by gate, and by up. Plain MLPs: by up, and by what down writes towards
// the tokens' rows of the head. With E the tokens' embeddings, gains γ and γ' in front
// of the MLP and of the head: (W diag γ)(E − Ē)ᵀ and Dᵀ (H diag γ' − mean)ᵀ; in LayerNorm
// models the rows of E and of H diag γ' are centred as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.h"
#include "fingerprint/ffn_place.h"
#include "model/model.h"

namespace pedigree {

// Blocks of up to `whole_below` neurons are looked at whole; of larger ones the neurons
// with the largest first answers to the first `choosing_tokens` tokens.
inline constexpr std::uint64_t whole_below = 512;
inline constexpr std::size_t choosing_tokens = 16;

struct NeuronAnswers {  // of the neurons looked at in one feed-forward block
  FfnPlace place = {};
  bool gated = true;
  std::uint64_t full_neurons = 0;  // of the block
  std::uint64_t experts = 0;       // of an expert's layer: one more than the largest number
  std::vector<std::uint64_t> neurons = {};  // indices in the block, ascending
  std::vector<float> first = {};            // neurons × tokens, row-major
  std::vector<float> second = {};
};

struct AnswerRequest {
  std::vector<std::uint64_t> tokens = {};  // rows of the model's own token embedding
  std::vector<FfnPlace> places = {};
  // By place: which neurons. When empty: all of a block of up to `whole`, else `chosen` of it.
  std::vector<std::vector<std::uint64_t>> neurons = {};
  std::size_t chosen = 256;
  std::uint64_t whole = whole_below;
};

// By place; without neurons where there is no such block, or no embedding. Choosing
// costs one pass over the first answers' matrix of a block of more than 512 neurons, then
// rows; one over down besides in plain MLPs.
Result<std::vector<NeuronAnswers>> neuron_answers(const Model& model, const AnswerRequest& request,
                                                  unsigned threads, const Progress& progress);

}  // namespace pedigree
