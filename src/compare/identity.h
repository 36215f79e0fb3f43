// Is one model the other to the last bit? The only answers here that need no statistic.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/exact.h"

namespace pedigree {

struct Identity {
  Evidence evidence = {};
  std::string mechanism = {};  // "identical", "pruned" (tensors are missing), "partial-finetune"
  std::vector<std::string> transforms = {};
  std::vector<std::string> changed_tensors = {};
  ExactPass pass = {};  // tensor by tensor, where roles say which is which
};

// For models whose sampled parts are all equal. One pass over the weights where both are
// at hand, or one and digests of the other; nothing is read where both have digests.
// Empty where neither is there, and with `quick`.
Result<std::optional<Identity>> identity_of(const Side& subject, const Side& base,
                                            const LayerMap& layers, const CompareOptions& options);

// For models of no known roles: the same tensors, by content, under whatever names. One
// pass over both, made only when types and shapes agree; empty when something differs.
Result<std::optional<Identity>> identity_by_content(const Side& subject, const Side& base,
                                                    const CompareOptions& options);

}  // namespace pedigree
