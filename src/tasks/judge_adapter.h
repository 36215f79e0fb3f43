// Adapters among the arguments: what one says beside a base, and whether a base with
// adapters merged into it is the subject.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "compare/joint.h"
#include "tasks/opened.h"

namespace pedigree {

// The answer where one of two is an adapter, or both: never more than compatible, for an
// adapter holds no weights of its base. None where neither is.
std::optional<Comparison> adapter_answer(const Opened& subject, const Opened& base);

// What the subject is made of where `bases` hold adapters beside a whole model; entries
// may be null. The best of several whole models.
std::optional<Joint> merged_adapters(const Opened& subject,
                                     const std::vector<std::shared_ptr<Opened>>& bases,
                                     const std::vector<Comparison>& comparisons);

}  // namespace pedigree
