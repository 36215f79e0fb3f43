#include "tensor/types/stored.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

void decode(std::span<const std::byte> bytes, std::span<float> out) {
  check(bytes.size() / sizeof(float) >= out.size(), "too few bytes to decode");
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size_bytes());
}

}  // namespace

constinit const ElementType f32 = {.id = "F32",
                                   .bits = 32,
                                   .kind = ElementType::Kind::floating,
                                   .decode = decode,
                                   .precision = 24,
                                   .smallest_exponent = -149,
                                   .largest = 0x1.FFFFFEp127};

// Two F32, real part first; the fields of a pair are never decoded.
constinit const ElementType c64 = {.id = "C64", .bits = 64, .kind = ElementType::Kind::complex};

}  // namespace pedigree::types
