// The sign-symmetry test on whole matrices: one pass over up, down, v and o of both
// models, for descent too faint for the sampled sub-blocks.
#pragma once

#include "compare/compare.h"
#include "compare/signed_layers.h"

namespace pedigree {

struct FullSigns {
  SignSum units = {};                  // neurons and value channels, all of every layer read
  SignSum dimensions = {};             // all residual dimensions
  std::vector<SignSum> by_layer = {};  // units, by entry of the map that was read
  std::size_t layers = 0;              // read
};

// Values read of each side at most, in whole layers spread over the map: at a billion
// a mean cosine of 0.0004 already shows, and a 7B-shaped pair takes seconds.
inline constexpr std::uint64_t most_signed_values = std::uint64_t{1} << 30U;

// Layers of equal shape under `map`; nothing is read of others. Memory is a few
// numbers per row and column and a chunk of rows a thread.
Result<FullSigns> full_signs(const Side& subject, const Side& base, const LayerMap& map,
                             const CompareOptions& options);

}  // namespace pedigree
