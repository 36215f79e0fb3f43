// Attention heads whose matrices changed and whose products did not: O·V of a query head
// takes every invertible map of a head's value channels, Qᵀ·K every factor (and, under a
// rotary position scheme, every turn within a pair) that the other side undoes.
#pragma once

#include "compare/witness.h"
#include "model/model.h"

namespace pedigree {

// Squared changes, pooled: of the factors, and of what they are used for.
struct Products {
  double before = 0;  // ‖subject − base‖² over ‖base‖², summed over both factors
  double after = 0;   // of their product
  double size = 0;    // matrices that `before` and `after` are sums over

  bool is_explained() const;
  double left() const;  // relative change of one factor that the product still shows
};

struct RefoldedHeads {
  Products values = {};
  Products queries = {};
  bool moved = false;           // heads stand under other numbers
  bool values_mixed = false;    // beyond the order of the heads
  bool queries_scaled = false;  // beyond the order of the heads
};

// Training moves a product by √2 of what it moves the factors by; at most half of it, and
// more than rounding would, is a refolding.
bool is_refolded(const Products& products);

// Layers are sampled, eight at most; 64 residual dimensions each. `with_gains`: multiplies
// what reads the residual by the norm's gain first. Empty where heads differ in number.
Result<RefoldedHeads> refolded_heads(const Model& subject, const Model& base,
                                     const LayerMap& layers, bool with_gains);

}  // namespace pedigree
