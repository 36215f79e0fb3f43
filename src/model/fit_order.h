// Which row order queries and keys of a GGUF file or of Meta's files really have, told by
// content.
//
// Producers of GGUF differ: one and the same architecture is written with rows in
// rotary pairs, without, or (in 2023) with keys paired over the wrong number of heads.
// Which it is cannot be seen in one file, but beside a model that shares its weights it
// can: of the few orders there are, one fits and the others do not.
#pragma once

#include "model/model.h"

namespace pedigree {

// Tries the known orders of q, k and their biases in `model` against `reference` on two
// heads of one layer, and keeps one that fits clearly better than the one assumed; true
// when it changed any. Models that share nothing leave all as it was. Does nothing where
// `model` is of no kind whose rows may be in pairs. Reads some hundred kilobytes at most; what
// cannot be read is left for others to tell.
bool fit_row_order(Model& model, const Model& reference);

}  // namespace pedigree
