// A model whose weights are git-lfs pointers, identified by their object ids.
#pragma once

#include <string>

#include "base/progress.h"
#include "tasks/opened.h"

namespace pedigree {

// What the pointers of either side name of the other, as a sentence without a full stop;
// "" when neither side has pointers, or they name nothing there. Files of the size that a
// pointer gives are read to be told by SHA-256; a fingerprint answers by its digests.
std::string named_by_pointers(const Opened& subject, const Opened& base, const Progress& progress);

}  // namespace pedigree
