// Two-view agreement as a stage of the search: what it needs, what it saw, in words.
#pragma once

#include <string>
#include <string_view>

#include "compare/search.h"

namespace pedigree {

// Adds its evidence to `search`, and its decision where it makes one.
void two_view_stage(const Side& subject, const Side& base, const CompareOptions& options,
                    double log10_alternatives, Search& search);

// Of as many agreeing neurons in its map, every choice and `log10_alternatives` paid for.
double log10_p_of(const TwoView& seen, double log10_alternatives);

// What was seen, in words and numbers; `views` name neurons: "gate and up responses", say.
Evidence two_view_evidence(const TwoView& seen, double log10_p, std::string_view views);

// Makes what two views agree on the search's decision.
void take_two_view(const TwoView& seen, std::string stage, double log10_p, Search& search);

// Notes why `no` would be rash where views agree more than those of unrelated models.
void note_doubt(const TwoView& seen, Search& search);

}  // namespace pedigree
