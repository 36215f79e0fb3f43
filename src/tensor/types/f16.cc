#include "tensor/types/half_float.h"
#include "tensor/types/stored.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

void decode(std::span<const std::byte> bytes, std::span<float> out) {
  decode_stored<std::uint16_t>(bytes, out, widened_half);
}

}  // namespace

constinit const ElementType f16 = {.id = "F16",
                                   .bits = 16,
                                   .kind = ElementType::Kind::floating,
                                   .decode = decode,
                                   .precision = 11,
                                   .smallest_exponent = -24,
                                   .largest = 65504};

}  // namespace pedigree::types
