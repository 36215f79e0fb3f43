// Is the change a low-rank update, as a merged adapter leaves it?
#pragma once

#include <optional>
#include <set>
#include <string_view>
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

// Sorted from the largest.
std::vector<double> singular_values(const Matrix& matrix);

// Standard deviation that rounding into the subject's type leaves: √(mean ulp²/12).
double rounding_noise(const Matrix& subject, const ElementType* subject_type, bool sketch_only);

// Up to 256 × 256 values spread over a matrix; empty when it is not there.
Result<Matrix> spread_part(const Model& model, std::string_view role, int layer, int expert = -1);

// The subject's layers that are enough to look at: all of few, some of many.
std::set<int> layers_looked_at(const LayerMap& layers);

// The adapter's rank in each role it touched: the changed matrices of a role have one
// and the same low rank in at least seven layers of ten, and something was left
// untouched. A role whose matrices are too small to show the rank of the others gets
// theirs as `at_least`. Reads up to 256 × 256 of each changed matrix where weights are
// at hand.
Result<std::optional<Lora>> low_rank_update(const Side& subject, const Side& base,
                                            const Alignment& alignment,
                                            const std::vector<Change>& all);

}  // namespace pedigree
