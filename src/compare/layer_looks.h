// How the units of one layer are seen: which sampled values are their rows.
//
// Each look gives one side's matrix, units × features, for a given layer of the
// other side: only indices that both sides sampled are in it, in one order, so
// the two sides' matrices of a layer pair can be held against each other.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "compare/witness.h"
#include "fingerprint/fingerprint.h"

namespace pedigree {

enum class Look : unsigned char {
  gate,            // FFN neurons as rows of gate
  up,              // as rows of up
  down,            // as columns of down
  queries,         // residual dimensions as columns of q
  keys,            // of k
  values,          // of v
  output,          // as rows of o
  value_heads,     // value channels as rows of v, a matrix for each sampled head
  gate_responses,  // FFN neurons by their responses to common tokens
  up_responses,
};
inline constexpr std::size_t look_count = 10;

// What may be seen of the same units together. Looks up to a sign are added and
// then taken without it.
struct LookOf {
  Look look;
  bool up_to_sign = false;
};
std::span<const LookOf> neuron_looks();
std::span<const LookOf> attention_looks();
std::span<const LookOf> value_looks();
std::span<const LookOf> response_looks();

// `mine`'s matrices (one, or one a head); empty where a side lacks the tensor or
// they share too few indices. looked_at(l, A, a, B, b) and looked_at(l, B, b, A, a)
// have the same shapes.
std::vector<Matrix> looked_at(Look look, const Fingerprint& mine, int layer,
                              const Fingerprint& other, int other_layer);

// The first layer of `mine` that can be looked at so; -1 when none can.
int first_layer_with(Look look, const Fingerprint& mine);

// Do two layers of `mine` sample the same indices, so that what another model
// shares with one it shares with the other?
bool sampled_alike(Look look, const Fingerprint& mine, int layer, int other_layer);

}  // namespace pedigree
