// Was it this very model that was quantised, or a relative of it? Where the quantiser
// leaves no choice the source is quantised again and held against the copy, block by
// block: of the source nearly all blocks are equal, of a sibling hardly any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "compare/alignment.h"
#include "compare/evidence.h"
#include "model/model.h"

namespace pedigree {

struct Requantised {
  std::uint64_t blocks = 0;  // looked at; those that hold nothing but zeros are not
  std::uint64_t equal = 0;   // to the last bit, once decoded
  std::size_t matrices = 0;
  std::string type = {};  // of most blocks: "Q4_0"

  double share() const { return static_cast<double>(equal) / static_cast<double>(blocks); }
  bool is_source() const { return share() >= 0.99; }
};

// Reads 8 rows of up to 32 matrices of both. `layers` pairs layers of `copy` with those of
// `source`; rows must keep their numbers. Nothing where no matrix of the copy is stored by
// such a quantiser.
Result<std::optional<Requantised>> requantised(const Model& copy, const Model& source,
                                               const LayerMap& layers);

Evidence requantised_evidence(const Requantised& found);

}  // namespace pedigree
