// Roles where names mean nothing: from shapes, order and repetition.
//
// A model is one block again and again between an embedding and a head. The
// blocks are found by a number in the names, by the natural order of the names
// or by the order in the file; inside a block the shapes decide, and where two
// shapes are equal the order known families keep. Those roles are recorded as
// ambiguous, so that a comparison can try the others.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/families_match.h"
#include "model/structure_blocks.h"

namespace pedigree {

struct ShapeRoles {
  std::vector<MatchedTensor> matched = {};  // `as` points into families()
  std::vector<std::string> ambiguous = {};  // "attn.k|attn.v"
  double count_share = 0;
  double byte_share = 0;
};

// The best reading of the tensors; absent when no repeated block explains at least half of the
// bytes. Known orders are those of the `alike` families, whose structure the shapes fit; with
// none known, of all decoders.
std::optional<ShapeRoles> roles_from_shapes(std::span<const StoredTensor> stored,
                                            std::span<const Family* const> alike = {});

// Roles for the tensors of one block by shape alone, order deciding between
// equal shapes; the same length as `shapes`, "" where none fits. `hidden` is the
// width of the residual stream.
std::vector<std::string> roles_by_shape(std::span<const Shape> shapes, std::uint64_t hidden);

}  // namespace pedigree
