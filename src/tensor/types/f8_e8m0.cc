#include "tensor/types/small_float.h"
#include "tensor/types/stored.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

constexpr auto powers = [] {
  std::array<float, 256> values = {};
  for (int code = 0; code < 255; ++code) {
    values[static_cast<std::size_t>(code)] = static_cast<float>(power_of_two(code - 127));
  }
  values[255] = std::numeric_limits<float>::quiet_NaN();
  return values;
}();

void decode(std::span<const std::byte> bytes, std::span<float> out) {
  decode_stored<std::uint8_t>(bytes, out, [](std::uint8_t code) { return powers[code]; });
}

}  // namespace

// An exponent alone: 2^(code − 127), no sign, no zero.
constinit const ElementType f8_e8m0 = {
    .id = "F8_E8M0", .bits = 8, .kind = ElementType::Kind::scale, .decode = decode};

}  // namespace pedigree::types
