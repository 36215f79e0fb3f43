// Two-view agreement as a stage of the search: what it needs, what it saw, in words.
#pragma once

#include "compare/search.h"

namespace pedigree {

// Adds its evidence to `search`, and its decision where it makes one.
void two_view_stage(const Side& subject, const Side& base, const CompareOptions& options,
                    double log10_alternatives, Search& search);

}  // namespace pedigree
