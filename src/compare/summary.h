// One sentence for people. "Shares weights with" unless the direction is known;
// never a word about intent.
#pragma once

#include <string>

#include "compare/compare.h"

namespace pedigree {

std::string summary_of(const Comparison& comparison, bool equal_on_sample_only,
                       const std::string& why_not);

}  // namespace pedigree
