// Is the change a low-rank update, as a merged adapter leaves it?
#pragma once

#include <optional>
#include <vector>

#include "compare/change.h"

namespace pedigree {

// Singular values of D = subject − base above the noise that rounding into the
// subject's type leaves: with σ² the mean of ulp²/12 over the part, independent
// rounding errors have no singular value beyond about σ(√m + √n) (the
// Marchenko–Pastur edge). `margin` times that is the floor.
struct RankCount {
  std::size_t rank = 0;
  std::size_t limit = 0;  // the smaller side of the part: no rank beyond it can show
  double gap = 0;         // the last value above the floor over the next one
};
RankCount rank_of_change(const Matrix& subject, const Matrix& base, const ElementType* subject_type,
                         bool sketch_only);

// The adapter's rank and the roles it touched: all changed matrices of layers
// have one and the same low rank, and something was left untouched. Reads up to
// 256 × 256 of each changed matrix where weights are at hand.
Result<std::optional<Lora>> low_rank_update(const Side& subject, const Side& base,
                                            const Alignment& alignment,
                                            const std::vector<Change>& all);

}  // namespace pedigree
