// Names for values that a quantiser spread over several tensors. A value has no bytes of
// its own, so these are never decoded here; the room model puts the tensors together.
// Values are products and sums rounded to F32.
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

constexpr ElementType packed_type(std::string_view id) {
  return {.id = id,
          .kind = ElementType::Kind::floating,
          .block = 1,
          .precision = 24,
          .smallest_exponent = -149,
          .largest = 0x1.FFFFFEp127};
}

}  // namespace

constinit const ElementType gptq = packed_type("GPTQ");
constinit const ElementType awq = packed_type("AWQ");
constinit const ElementType bnb_4bit = packed_type("BNB_4BIT");
constinit const ElementType bnb_int8 = packed_type("BNB_INT8");
constinit const ElementType fp8_scaled = packed_type("FP8_SCALED");
constinit const ElementType int8_scaled = packed_type("INT8_SCALED");
constinit const ElementType ct_packed = packed_type("CT_PACKED");
constinit const ElementType mlx = packed_type("MLX");
constinit const ElementType hqq = packed_type("HQQ");

}  // namespace pedigree::types
