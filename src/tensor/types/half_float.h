// IEEE half precision to float.
#pragma once

#include <bit>
#include <cstdint>

namespace pedigree::types {

// The exponent is moved by an integer addition, and a subnormal gets an implied
// one that a float subtraction takes away again, exactly. Multiplying the
// shifted bits by 2^112 is shorter, but makes the CPU work on subnormal floats,
// which costs a hundred cycles each, and small weights are full of them.
// Without branches, so that it vectorises.
inline float widened_half(std::uint16_t half) {
  constexpr std::uint32_t exponent = 0x1FU << 23U;
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7FFFU) << 13U;
  const bool not_finite = magnitude >= exponent;
  const bool subnormal = magnitude < 0x800000U;
  const std::uint32_t bias = not_finite ? 224U << 23U : 112U << 23U;
  const std::uint32_t normal = magnitude + bias;
  const float lifted = std::bit_cast<float>(magnitude + (113U << 23U)) -
                       std::bit_cast<float>(std::uint32_t{113U << 23U});
  const std::uint32_t bits = subnormal ? std::bit_cast<std::uint32_t>(lifted) : normal;
  return std::bit_cast<float>(bits | sign);
}

}  // namespace pedigree::types
