#include "tensor/types/small_float.h"
#include "tensor/types/types.h"

namespace pedigree::types {

// Four in three bytes.
constinit const ElementType f6_e2m3 =
    small_float_type<{.exponent_bits = 2, .mantissa_bits = 3, .bias = 1}>("F6_E2M3");
constinit const ElementType f6_e3m2 =
    small_float_type<{.exponent_bits = 3, .mantissa_bits = 2, .bias = 3}>("F6_E3M2");

}  // namespace pedigree::types
