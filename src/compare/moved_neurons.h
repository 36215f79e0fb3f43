// Layers stand against each other: do their neurons under the same numbers, under others,
// or only some of them? And do residual coordinates, up to their signs?
#pragma once

#include <vector>

#include "compare/kind.h"

namespace pedigree {

struct MovedNeurons {
  std::vector<Evidence> evidence = {};
  bool ffn_is_new = false;  // no partner for most neurons anywhere
};

// Writes into `descent` which neurons stand against each other, what was kept, and the
// transforms. Dense models; reads weights only of layers whose neurons are not in place.
Result<MovedNeurons> find_moved_neurons(const Side& subject, const Side& base, Descent& descent,
                                        unsigned threads);

// Residual dimensions negated throughout: from then on coordinates do not stand against
// each other as they are. Sampled parts only.
void find_flipped_signs(const Side& subject, const Side& base, Descent& descent, unsigned threads);

}  // namespace pedigree
