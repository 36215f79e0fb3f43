// Is a fit a merge? It must give the subject back as closely as the stored type
// can hold it, where no candidate alone does, and the rounding must say that the
// subject, and none of the candidates, is what was computed (decision 11).
#pragma once

#include <string>

#include "compare/merge_fit.h"

namespace pedigree {

struct Standing {
  double ratio = 0;           // residual over what one rounding leaves, root mean squares
  double single_ratio = 0;    // the same of the best candidate alone
  double outside = 0;         // share of entries further off than one rounding can be
  double single_outside = 0;  // the same of the best candidate alone
  double unexplained = 1;     // of what the best candidate alone leaves beyond rounding
  bool within_rounding = false;
  bool single_suffices = false;
};

Standing standing_of(const MergeFit& fit, const SingleFit& best_single, bool lattice);

// Who was computed from the others? `subject` unless a candidate's own rounding
// explains the residual as well or better.
struct Computed {
  bool subject = false;
  std::optional<std::size_t> other = {};  // place in the fit's candidates, when one stands out
  double inside = 0;                      // share of the subject's values that are the sum rounded
  std::string because = {};
};
Computed computed_from_rounding(const MergeFit& fit, bool lattice);

}  // namespace pedigree
