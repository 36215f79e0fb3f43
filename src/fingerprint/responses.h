// How neurons answer tokens: (W diag γ)(E − Ē)ᵀ, which no orthogonal change of
// the residual basis alters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pedigree {

// Rows of the embedding less their mean; with `centre` also each row less its
// own mean, as LayerNorm does. `values` is tokens × width, row-major.
std::vector<float> centred_tokens(std::span<const float> values, std::size_t width, bool centre);

// One neuron's answers to all tokens of centred_tokens().
std::vector<float> neuron_responses(std::span<const float> weights, std::span<const float> gain,
                                    std::span<const float> tokens, bool centre);

}  // namespace pedigree
