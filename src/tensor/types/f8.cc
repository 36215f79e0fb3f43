#include "tensor/types/small_float.h"
#include "tensor/types/types.h"

namespace pedigree::types {

using enum SmallFloat::NotFinite;

constinit const ElementType f8_e5m2 =
    small_float_type<{.exponent_bits = 5, .mantissa_bits = 2, .bias = 15, .not_finite = as_ieee}>(
        "F8_E5M2");
constinit const ElementType f8_e4m3 = small_float_type<{
    .exponent_bits = 4, .mantissa_bits = 3, .bias = 7, .not_finite = top_code_nan}>("F8_E4M3");
constinit const ElementType f8_e4m3fnuz = small_float_type<{
    .exponent_bits = 4, .mantissa_bits = 3, .bias = 8, .not_finite = minus_zero_nan}>(
    "F8_E4M3FNUZ");
constinit const ElementType f8_e5m2fnuz = small_float_type<{
    .exponent_bits = 5, .mantissa_bits = 2, .bias = 16, .not_finite = minus_zero_nan}>(
    "F8_E5M2FNUZ");

}  // namespace pedigree::types
