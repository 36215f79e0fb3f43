// Factors moved between matrices without a trace in what the model computes: norm gains
// folded into the matrices that read what they scale (AWQ and SmoothQuant leave their
// scales there), value channels re-mixed and undone by the output projection, query and
// key channels scaled against each other, heads re-dealt inside their groups.
//
// Each is told by a product that it leaves alone: gain · reader, O·V and Qᵀ·K of a head
// over residual dimensions. Training moves such a product by about √2 of what it moves
// the factors by; a refolding moves the factors and not the product.
#pragma once

#include <string>
#include <vector>

#include "compare/change.h"

namespace pedigree {

struct Refolding {
  std::vector<std::string> transforms = {};  // "gain-fold", "value-mix", "query-key-scale", …
  std::vector<RoleChange> explained = {};    // parts no longer in `all`, with what is left

  bool found() const { return !transforms.empty(); }
};

// Takes what refolding explains out of `all`: gains by changing the subject's sampled
// parts, attention by removing them. Attention needs weights on both sides; it reads 64
// residual dimensions of q, k, v and o in up to eight layers. Coordinates and layers
// have to stand against each other by index.
Result<Refolding> take_out_refolding(const Side& subject, const Side& base,
                                     const Alignment& alignment, std::vector<Change>& all);

}  // namespace pedigree
