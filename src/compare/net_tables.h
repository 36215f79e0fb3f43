// Tensors that are computed and not trained: windows, filter banks, Fourier and cosine bases,
// sines of positions, rotary angles, masks. Nets that have nothing to do with each other hold the
// same ones.
#pragma once

#include "compare/net_tensors.h"

namespace pedigree {

// Is it sparse, of one sign, or do its rows or its columns hold a single wave each, under whatever
// window? Rows are those along its first axis, columns of its last; up to 16 of 32 and more values
// are looked at.
bool is_computed(const NetPair& pair);

}  // namespace pedigree
