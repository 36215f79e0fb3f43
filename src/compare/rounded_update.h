// Which side was rounded after a low-rank update was added?
//
// A merged adapter leaves child = round(parent + Δ). What is left of the
// difference once Δ is taken out is the rounding of the child's grid. Where a
// value of one side has an exponent above that of the other, the two grids
// differ by a factor of two, and the sizes of what is left tell which grid it
// was: measured, 2.6 times as large where the child's grid is the coarser, and
// 0.38 times the other way round. Two siblings of one parent were rounded on
// both grids and give no sign.
#pragma once

#include <optional>

#include "compare/change.h"
#include "compare/evidence.h"

namespace pedigree {

struct RoundedUpdate {
  bool subject_was_rounded = false;  // so the base is the parent; else the other way round
  double ratio = 1;                  // of mean squares, coarser subject over coarser base
  std::uint64_t values = 0;          // at which the grids differ
};

// Looks at the changed matrices of some layers; 256 × 256 of each where weights
// are at hand. `rank` is that of the update.
Result<std::optional<RoundedUpdate>> rounded_update(const Side& subject, const Side& base,
                                                    const Alignment& alignment,
                                                    const std::vector<Change>& all,
                                                    std::uint64_t rank);

Evidence rounding_evidence(const RoundedUpdate& rounded);

}  // namespace pedigree
