// What a search for re-dealt channels would have seen.
#pragma once

#include <optional>

#include "compare/net_wiring.h"

namespace pedigree {

// The least mean cosine, in steps of 0.05, at which a copy of the base whose channels were all
// dealt anew would be found with probability 0.999 at `log10_threshold`: the base's own kernels,
// re-dealt and mixed with the subject's, are searched. None where no such copy would be, or where
// that would take too long.
std::optional<double> redealing_power(const Wiring& wiring, double log10_threshold,
                                      unsigned threads);

}  // namespace pedigree
