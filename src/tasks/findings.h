// What a model's claims, held against its weights, and its problems mean for whoever reads the
// report: findings by rule.
#pragma once

#include <cstddef>
#include <vector>

#include "report/report.h"

namespace pedigree {

// Rule ids of the lineage and card groups, then the problems under their own codes. `compared`:
// with how many models.
std::vector<Finding> findings_of(const ModelInfo& model, const std::vector<Declared>& declared,
                                 const std::vector<Problem>& problems, std::size_t compared);

}  // namespace pedigree
