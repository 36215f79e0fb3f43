// The same part of a layer's matrices from both models, large enough for
// spectra: whole matrices where they are small, spread samples otherwise.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/alignment.h"

namespace pedigree {

struct LayerPart {
  Matrix gate = {};   // neurons × dimensions
  Matrix up = {};     // neurons × dimensions
  Matrix down = {};   // neurons × dimensions: columns of down as rows
  Matrix value = {};  // value channels × dimensions
};

struct LayerParts {
  LayerPart subject = {};
  LayerPart base = {};
};

// Neurons paired by the alignment, at most 256 of them; all residual dimensions
// up to 1024, else 512 spread over them. From sub-blocks where a side has no
// weights. Parts that cannot be set against each other are empty.
Result<LayerParts> layer_parts(const Side& subject, const Side& base, const Alignment& alignment,
                               std::size_t place);

}  // namespace pedigree
