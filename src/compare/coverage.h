// How much of a model was compared.
#pragma once

#include "compare/alignment.h"

namespace pedigree {

// Share of the subject's parameters that have a counterpart of a shape that can be compared,
// to four decimals.
double coverage_of(const Fingerprint& subject, const Fingerprint& base, const LayerMap& layers);

}  // namespace pedigree
