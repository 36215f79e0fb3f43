#include "tensor/types/stored.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

void decode(std::span<const std::byte> bytes, std::span<float> out) {
  decode_stored<std::uint16_t>(bytes, out, [](std::uint16_t top) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(top) << 16U);
  });
}

}  // namespace

constinit const ElementType bf16 = {.id = "BF16",
                                    .bits = 16,
                                    .kind = ElementType::Kind::floating,
                                    .decode = decode,
                                    .precision = 8,
                                    .smallest_exponent = -133,
                                    .largest = 0x1.FEp127};

}  // namespace pedigree::types
