// A base whose channels are put into the subject's order, once re-dealt channels were found, and
// what is then equal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compare/net_redealing.h"

namespace pedigree {

struct Refit {
  std::vector<std::vector<float>> theirs = {};  // by pair
  std::size_t moved = 0;                        // channels that stand elsewhere
  std::size_t turned = 0;                       // with all signs turned round
  std::size_t equal = 0;                        // pairs, value for value
  std::size_t vectors_apart = 0;                // vectors that are not
  // Kernels that differ by one factor a channel and rounding, those equal value for value among
  // them, and their values.
  std::size_t like_kernels = 0;
  std::uint64_t like_values = 0;
  bool all_kernels = false;  // every one of them
  bool scaled = false;       // some channel has a factor
};

// A kernel's values in the base, in the order of these maps.
std::vector<float> dealt(const WiredKernel& kernel, const AxisMap& outputs, const AxisMap& inputs);

// Partners by rows and columns at once, beginning with those of `seen`.
std::vector<AxisMap> refined(const Wiring& wiring, const Redealing& seen, bool up_to_sign,
                             unsigned threads);

Refit put_in_order(const NetPairs& pairs, const Wiring& wiring, const Redealing& seen,
                   const std::vector<AxisMap>& maps);

}  // namespace pedigree
