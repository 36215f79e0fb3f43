#include "tensor/types/small_float.h"
#include "tensor/types/types.h"

namespace pedigree::types {

// The file does not fix the order of the two in a byte; compressed-tensors and
// the MX formats put the first in the low nibble, and so do we.
constinit const ElementType f4 =
    small_float_type<{.exponent_bits = 2, .mantissa_bits = 1, .bias = 1}>("F4");

}  // namespace pedigree::types
