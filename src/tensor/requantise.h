// Quantisers that leave no choice: given values, ggml's first types have one encoding, so a
// copy stored in them can be made again from its source and compared code for code.
//
// Source: the reference quantisers of ggml (quantize_row_q4_0_ref and its like). K and IQ
// types are not here: their scales come of a search that may weigh columns by an
// importance nobody stores.
#pragma once

#include <span>

#include "tensor/element_types.h"

namespace pedigree {

// Some compilers fuse a product with the sum behind it, which moves a code at ties.
enum class Products { rounded, fused };

// Writes what `values`, whole blocks, are worth once stored in the type and decoded.
using Requantise = void (*)(std::span<const float> values, Products products, std::span<float> out);

// Null for types that are not deterministic, or not known to be.
Requantise requantiser_of(const ElementType& type);

}  // namespace pedigree
