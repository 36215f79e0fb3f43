// All the candidates at once, after the pairs.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "compare/joint.h"
#include "tasks/opened.h"

namespace pedigree {

// `bases[i]` is what comparisons[i] was with; null where it could not be opened.
// Uses the samples the pairs were compared with.
std::optional<Joint> joint_answer(const Opened& subject,
                                  const std::vector<std::shared_ptr<Opened>>& bases,
                                  const std::vector<Comparison>& comparisons);

}  // namespace pedigree
