// How several blocks lie around one they all resemble, which tells who was first.
//
// Let d_i be what separates block i from the one block. Copies that were changed
// apart from each other have d_i at right angles. Were the one block itself taken
// from among them, its own change would be in every d_i and their cosine about
// one half. Were it made as a mean of them, some combination with weights that add up
// to one, none of them negative, would leave next to nothing.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/alignment.h"
#include "compare/ffn_pairs.h"

namespace pedigree {

struct Rays {
  enum class Shape {
    unclear,
    copies,    // nothing separates any of them from the one
    around,    // changed apart from each other: the one is where they began
    combined,  // the one is a combination of them
  };
  Shape shape = Shape::unclear;
  std::size_t blocks = 0;  // that could be held against each other
  double cosine = 0;       // largest in size between two d_i of comparable length
  double residue = 1;      // squared, of the best combination, against that of unrelated d_i
};

// `differences`: the d_i, all of one length.
Rays rays_of(const std::vector<std::vector<double>>& differences);

// The blocks of `matches` around the one of the other side that all of them name: on the
// sampled sub-blocks, or on the answers where there are none, as far as they go by index; where
// they were looked up, on the neurons that all of them hold, read from weights.
Result<Rays> rays_around(const Side& subject, const Side& base, const FfnPairs& pairs,
                         const std::vector<FfnMatch>& matches, bool subject_is_many);

}  // namespace pedigree
