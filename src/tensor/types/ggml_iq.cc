// ggml's IQ quantisers. IQ4 looks a nibble up in a table of sixteen values; the
// others take four or eight magnitudes at once from a grid (ggml_grids.cc) and
// their signs from bits of their own, seven of which imply the eighth.
#include <array>
#include <bit>

#include "tensor/types/blocks.h"
#include "tensor/types/ggml_grids.h"
#include "tensor/types/ggml_scales.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

void decode_iq4_nl(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t j = 0; j < 16; ++j) {
    out[j] = d * iq4_values[block.low(2 + j)];
    out[j + 16] = d * iq4_values[block.high(2 + j)];
  }
}

// d, high scale bits, low scale nibbles, codes: a scale of six bits for each 32.
void decode_iq4_xs(const Block& block, float* out) {
  for (std::size_t sub = 0; sub < 8; ++sub) {
    const float step = iq4_xs_step(block, sub);
    const std::size_t codes = 8 + sub * 16;
    for (std::size_t j = 0; j < 16; ++j) {
      out[sub * 32 + j] = step * iq4_values[block.low(codes + j)];
      out[sub * 32 + j + 16] = step * iq4_values[block.high(codes + j)];
    }
  }
}

// Seven stored sign bits and the one that makes their number even.
unsigned eight_signs(std::uint32_t seven) {
  const unsigned bits = seven & 0x7FU;
  return bits | (static_cast<unsigned>(std::popcount(bits)) & 1U) << 7U;
}

// By the sign bit, since random branches would take most of the time.
float signed_by(float value, unsigned signs, std::size_t i) {
  const std::uint32_t flipped = (signs >> i & 1U) << 31U;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ flipped);
}

constexpr std::array<float, 4> iq2_magnitudes = {8, 25, 43, 0};
constexpr std::array<float, 8> iq3_xxs_magnitudes = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::array<float, 8> iq3_s_magnitudes = {1, 3, 5, 7, 9, 11, 13, 15};

// Eight magnitudes of two bits each.
void put_eight(std::uint16_t entry, float scale, unsigned signs, float* out) {
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = signed_by(scale * iq2_magnitudes[unsigned{entry} >> (2 * i) & 3U], signs, i);
  }
}

// Four magnitudes of a nibble each; `signs` begins with theirs.
void put_four(std::uint16_t entry, float scale, unsigned signs,
              const std::array<float, 8>& magnitudes, float* out) {
  for (std::size_t i = 0; i < 4; ++i) {
    out[i] = signed_by(scale * magnitudes[unsigned{entry} >> (4 * i) & 7U], signs, i);
  }
}

// d, then for each 32 elements four grid bytes and a word of signs and scale.
void decode_iq2_xxs(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t sub = 0; sub < 8; ++sub) {
    const std::size_t at = 2 + sub * 8;
    const std::uint32_t word = block.u32(at + 4);
    const float scale = d * (0.5F + static_cast<float>(word >> 28U)) * 0.25F;
    for (std::size_t j = 0; j < 4; ++j) {
      put_eight(iq2_xxs_grid[block.u8(at + j)], scale, eight_signs(word >> (7 * j)),
                out + sub * 32 + j * 8);
    }
  }
}

// A nibble of scale for each 16 elements.
float iq2_scale(const Block& block, std::size_t at, std::size_t sub) {
  const unsigned scale = sub % 2 == 0 ? block.low(at + sub / 2) : block.high(at + sub / 2);
  return block.f16(0) * (0.5F + static_cast<float>(scale)) * 0.25F;
}

// d, words of nine grid bits and seven signs, scales.
void decode_iq2_xs(const Block& block, float* out) {
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned word = block.u16(2 + 2 * j);
    put_eight(iq2_xs_grid[word & 511U], iq2_scale(block, 66, j / 2), eight_signs(word >> 9U),
              out + j * 8);
  }
}

// d, low grid bits, signs, high grid bits, scales.
void decode_iq2_s(const Block& block, float* out) {
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned high = block.u8(66 + j / 4) >> (j % 4 * 2) & 3U;
    put_eight(iq2_s_grid[block.u8(2 + j) | high << 8U], iq2_scale(block, 74, j / 2),
              block.u8(34 + j), out + j * 8);
  }
}

// d, grid bytes, and a word of signs and scale for each 32 elements.
void decode_iq3_xxs(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t j = 0; j < 64; ++j) {
    const std::uint32_t word = block.u32(66 + j / 8 * 4);
    const float scale = d * (0.5F + static_cast<float>(word >> 28U)) * 0.5F;
    const unsigned signs = eight_signs(word >> (7 * (j / 2 % 4))) >> (j % 2 * 4);
    put_four(iq3_xxs_grid[block.u8(2 + j)], scale, signs, iq3_xxs_magnitudes, out + j * 4);
  }
}

// d, low grid bits, the ninth, signs, scales.
void decode_iq3_s(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t j = 0; j < 64; ++j) {
    const std::size_t sub = j / 8;
    const unsigned nibble = sub % 2 == 0 ? block.low(106 + sub / 2) : block.high(106 + sub / 2);
    const float scale = d * static_cast<float>(1 + 2 * nibble);
    const unsigned ninth = block.u8(66 + j / 8) >> (j % 8) & 1U;
    const unsigned signs = block.u8(74 + j / 2) >> (j % 2 * 4);
    put_four(iq3_s_grid[block.u8(2 + j) | ninth << 8U], scale, signs, iq3_s_magnitudes,
             out + j * 4);
  }
}

// Eight of −1, 0 and 1, moved up or down by an eighth.
void put_ternary(std::uint16_t entry, float scale, bool down, float* out) {
  const float delta = down ? -0.125F : 0.125F;
  for (std::size_t i = 0; i < 8; ++i) {
    const int digit = static_cast<int>(unsigned{entry} >> (2 * i) & 3U) - 1;
    out[i] = scale * (static_cast<float>(digit) + delta);
  }
}

// d, low grid bits, and a word for each 32: high grid bits, scale, direction.
void decode_iq1_s(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned word = block.u16(34 + j / 4 * 2);
    const unsigned high = word >> (j % 4 * 3) & 7U;
    const float scale = d * static_cast<float>(2 * (word >> 12U & 7U) + 1);
    put_ternary(iq1_s_grid[block.u8(j + 2) | high << 8U], scale, (word & 0x8000U) != 0,
                out + j * 8);
  }
}

// d lies in the top nibbles of the four words of scales.
void decode_iq1_m(const Block& block, float* out) {
  constexpr std::size_t scales = 48;
  unsigned d_bits = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    d_bits |= (block.u16(scales + 2 * i) & 0xF000U) >> (12 - 4 * i);
  }
  const float d = widened_half(static_cast<std::uint16_t>(d_bits));
  for (std::size_t j = 0; j < 32; ++j) {
    const unsigned extra = j % 2 == 0 ? block.low(32 + j / 2) : block.high(32 + j / 2);
    const unsigned scale = unsigned{block.u16(scales + j / 8 * 2)} >> (j / 2 % 4 * 3) & 7U;
    put_ternary(iq1_s_grid[block.u8(j) | (extra & 7U) << 8U], d * static_cast<float>(2 * scale + 1),
                (extra & 8U) != 0, out + j * 8);
  }
}

}  // namespace

constinit const ElementType iq4_nl = block_type<decode_iq4_nl, 32, 18>("IQ4_NL");
constinit const ElementType iq4_xs = block_type<decode_iq4_xs, 256, 136>("IQ4_XS");
constinit const ElementType iq2_xxs = block_type<decode_iq2_xxs, 256, 66>("IQ2_XXS");
constinit const ElementType iq2_xs = block_type<decode_iq2_xs, 256, 74>("IQ2_XS");
constinit const ElementType iq2_s = block_type<decode_iq2_s, 256, 82>("IQ2_S");
constinit const ElementType iq3_xxs = block_type<decode_iq3_xxs, 256, 98>("IQ3_XXS");
constinit const ElementType iq3_s = block_type<decode_iq3_s, 256, 110>("IQ3_S");
constinit const ElementType iq1_s = block_type<decode_iq1_s, 256, 50>("IQ1_S");
constinit const ElementType iq1_m = block_type<decode_iq1_m, 256, 56>("IQ1_M");

}  // namespace pedigree::types
