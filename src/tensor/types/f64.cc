#include "tensor/types/stored.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

void decode(std::span<const std::byte> bytes, std::span<float> out) {
  decode_stored<double>(bytes, out, [](double value) { return static_cast<float>(value); });
}

}  // namespace

constinit const ElementType f64 = {.id = "F64",
                                   .bits = 64,
                                   .kind = ElementType::Kind::floating,
                                   .decode = decode,
                                   .precision = 53,
                                   .smallest_exponent = -1074,
                                   .largest = 0x1.FFFFFFFFFFFFFp1023};

}  // namespace pedigree::types
