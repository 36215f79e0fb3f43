// Which feed-forward block of one model stands against which of the other, where at
// least one of them holds experts.
//
// Every block of a layer is held against every block of the other side's layer. The
// side with more blocks in a layer is asked; each of its blocks has one answer.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compare/alignment.h"
#include "compare/ffn_pairs.h"

namespace pedigree {

// Adds the experts that the sketch does not keep, from weights, on the same sample; up to
// 1,024, of evenly spread layers where there are more. None where layers of both
// sides hold so many that not every pair of them could be looked at.
Result<FfnSketch> with_all_experts(FfnSketch blocks, const Side& side, const FfnSketch& other);

// What speaks for a pair of blocks by index.
enum class Seen { weights, answers };

// ‖x − y‖ over the root of ‖x‖‖y‖, on what two blocks both sampled; 2 when nothing.
double block_distance(const FfnPairs& pairs, int subject_block, int base_block, Seen by);

// Answers of some units at some tokens, by their places.
Matrix answers_at(const Responses& answers, std::span<const std::size_t> units, std::size_t tokens,
                  std::span<const std::size_t> places);

// The next candidate must be this much farther for a block to be clearly the nearest.
inline constexpr double clearly_nearer = 0.7;

// Blocks of mapped layers that stand out by index, each with the nearest one of the other
// side; where both sides have as many, with that of its own number unless
// another is clearly nearer.
std::vector<FfnMatch> indexed_matches(const FfnPairs& pairs, const LayerMap& layers, Seen by,
                                      unsigned threads);

}  // namespace pedigree
