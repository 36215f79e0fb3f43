// The last stages of the search look at whole rows of neurons: in the basis that common
// tokens recover, and by couplings, which need no tokens. What they need, what they saw,
// in words.
#pragma once

#include "compare/search.h"

namespace pedigree {

// Add their evidence to `search`, and a decision where they make one. Two-view agreement
// must have been tried: where that had no common tokens to go by, couplings stand in for it.
void row_stages(const Side& subject, const Side& base, const CompareOptions& options,
                double log10_alternatives, Search& search);

}  // namespace pedigree
