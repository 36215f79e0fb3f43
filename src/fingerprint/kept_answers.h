// Which feed-forward blocks a fingerprint's deep part keeps answers of.
//
// Every layer's own block, 256 neurons of it. Blocks of layers that hold experts share a
// budget: a sample by hash of the experts, in as many layers, by hash as well, as fit;
// with fewer neurons, then with fewer experts, where these would be under four layers.
// Hashes make smaller samples subsets of larger ones, so that models with other numbers
// of experts still have places in common. docs/fingerprint.md section 8 is the specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fingerprint/neuron_answers.h"

namespace pedigree {

struct ExpertBudget {
  std::vector<FfnPlace> places = {};  // experts and shared ones, ascending
  std::size_t neurons = 0;            // of each, or all of up to twice as many
};

ExpertBudget expert_budget(const Model& model, std::size_t tokens, std::string_view salt);

// Answers to the given rows of the embedding; blocks that have none, or one that is not
// finite, are left out.
Result<std::vector<NeuronAnswers>> kept_answers(const Model& model,
                                                const std::vector<std::uint64_t>& tokens,
                                                std::string_view salt, unsigned threads,
                                                const Progress& progress);

// What of the answers a scheme id names: of layers' own blocks, and of experts.
std::string answer_scheme();
std::string expert_scheme();

}  // namespace pedigree
