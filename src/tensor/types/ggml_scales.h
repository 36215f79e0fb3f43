// Scales of ggml's K quantisers, which their decoders and block_steps.cc unpack.
#pragma once

#include <array>
#include <bit>
#include <cstddef>

#include "tensor/types/blocks.h"

namespace pedigree::types {

struct ScaleAndMinimum {
  float scale = 0;
  float minimum = 0;  // taken off
};

// Of Q2_K: a byte for each 16 elements.
inline ScaleAndMinimum q2_k_pair(const Block& block, std::size_t sub) {
  return {.scale = block.f16(80) * static_cast<float>(block.low(sub)),
          .minimum = block.f16(82) * static_cast<float>(block.high(sub))};
}

// Of Q3_K, 16 scales of six bits: the low four of scale i in byte i % 8, the high two in
// byte 8 + i % 4.
inline std::array<int, 16> q3_k_scales(const Block& block) {
  constexpr std::size_t at = 96;
  std::array<int, 16> scales = {};
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const unsigned low = i < 8 ? block.low(at + i) : block.high(at + i - 8);
    const unsigned high = block.u8(at + 8 + i % 4) >> (i / 4 * 2) & 3U;
    scales[i] = static_cast<int>(low | high << 4U) - 32;
  }
  return scales;
}

// Of Q4_K and Q5_K, eight pairs of six bits in twelve bytes.
inline ScaleAndMinimum q4_k_pair(const Block& block, std::size_t j) {
  constexpr std::size_t at = 4;
  unsigned scale = 0;
  unsigned minimum = 0;
  if (j < 4) {
    scale = block.u8(at + j) & 63U;
    minimum = block.u8(at + j + 4) & 63U;
  } else {
    scale = block.low(at + j + 4) | (block.u8(at + j - 4) >> 6U) << 4U;
    minimum = block.high(at + j + 4) | (block.u8(at + j) >> 6U) << 4U;
  }
  return {.scale = block.f16(0) * static_cast<float>(scale),
          .minimum = block.f16(2) * static_cast<float>(minimum)};
}

// Of IQ4_XS, six bits for each 32 elements: high bits, then low nibbles.
inline float iq4_xs_step(const Block& block, std::size_t sub) {
  const unsigned high = block.u16(2);
  const unsigned low = sub % 2 == 0 ? block.low(4 + sub / 2) : block.high(4 + sub / 2);
  const unsigned scale = low | (high >> (2 * sub) & 3U) << 4U;
  return block.f16(0) * static_cast<float>(static_cast<int>(scale) - 32);
}

inline constexpr std::array<float, 16> iq4_values = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                     1,    13,   25,  38,  53,  69,  89,  113};

// Twice the values of E2M1; the scales of MXFP4 and NVFP4 carry the half.
inline constexpr std::array<float, 16> doubled_e2m1 = {0, 1,  2,  3,  4,  6,  8,  12,
                                                       0, -1, -2, -3, -4, -6, -8, -12};

// Half of 2^(code − 127).
inline float half_e8m0(unsigned code) {
  return std::bit_cast<float>(code < 2 ? 0x0020'0000U << code : (code - 1) << 23U);
}

// Half of an E4M3 without sign; 0x7F, NaN elsewhere, is zero here.
inline float half_ue4m3(unsigned code) {
  if (code == 0 || code == 0x7FU) return 0;
  const unsigned exponent = code >> 3U & 0xFU;
  const auto mantissa = static_cast<float>(code & 7U);
  if (exponent == 0) return mantissa * 0x1p-10F;
  const float power = std::bit_cast<float>((exponent + 127 - 7 - 1) << 23U);
  return (1 + mantissa / 8) * power;
}

}  // namespace pedigree::types
