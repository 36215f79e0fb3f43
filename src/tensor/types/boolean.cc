#include "tensor/types/stored.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

void decode(std::span<const std::byte> bytes, std::span<float> out) {
  decode_stored<std::uint8_t>(bytes, out,
                              [](std::uint8_t code) { return code == 0 ? 0.0F : 1.0F; });
}

}  // namespace

constinit const ElementType boolean = {
    .id = "BOOL", .bits = 8, .kind = ElementType::Kind::boolean, .decode = decode};

}  // namespace pedigree::types
