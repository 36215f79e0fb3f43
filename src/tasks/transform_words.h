// What `explain` says of transforms.
#pragma once

#include <vector>

#include "report/explanation.h"

namespace pedigree {

// Every name that stands in a report's `transforms`, before a colon where it has one.
std::vector<Explanation> transform_explanations();

}  // namespace pedigree
