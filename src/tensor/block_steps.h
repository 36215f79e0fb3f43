// How far a value stored in a block may lie from what was quantised: what tells a copy
// from a relative whose weights moved by less than its quantiser rounds.
#pragma once

#include <cstddef>
#include <span>

#include "tensor/element_types.h"

namespace pedigree {

// Are the widths below known of this type? Not of ggml's grids (IQ1 to IQ3), which place
// four or eight values at once.
bool has_block_steps(const ElementType& type);

// For each element of whole blocks the widest distance to the next value its code could
// have had, doubled for the outermost codes, since what lies beyond is cut off to them.
void block_steps(const ElementType& type, std::span<const std::byte> bytes, std::span<float> out);

// ‖stored − given‖ / ‖given‖ on normal values, by llama.cpp's own quantiser, of the types
// without steps; 0 for others.
double usual_error(const ElementType& type);

}  // namespace pedigree
