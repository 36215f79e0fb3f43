// ggml's K quantisers: 256 elements in sub-blocks of 16 or 32, whose scales (and
// minima) are small integers times one F16 of the whole block.
#include <array>

#include "tensor/types/blocks.h"
#include "tensor/types/ggml_scales.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

constexpr std::size_t block_elements = 256;

// 16 scales, codes of two bits, d, dmin. Each 32 bytes of codes hold 128 elements,
// two bits of every byte for 32 of them.
void decode_q2_k(const Block& block, float* out) {
  for (std::size_t sub = 0; sub < 16; ++sub) {
    const auto [scale, minimum] = q2_k_pair(block, sub);
    const std::size_t codes = 16 + sub / 8 * 32 + sub % 2 * 16;
    const std::size_t shift = sub % 8 / 2 * 2;
    for (std::size_t i = 0; i < 16; ++i) {
      const unsigned code = block.u8(codes + i) >> shift & 3U;
      out[sub * 16 + i] = scale * static_cast<float>(code) - minimum;
    }
  }
}

// hmask, codes as in Q2_K, scales, d. A clear mask bit takes four off; its bit
// number counts the runs of 32 elements.
void decode_q3_k(const Block& block, float* out) {
  const float d = block.f16(108);
  const std::array<int, 16> scales = q3_k_scales(block);
  for (std::size_t sub = 0; sub < 16; ++sub) {
    const float scale = d * static_cast<float>(scales[sub]);
    const std::size_t codes = 32 + sub / 8 * 32 + sub % 2 * 16;
    const std::size_t shift = sub % 8 / 2 * 2;
    for (std::size_t i = 0; i < 16; ++i) {
      const int code = static_cast<int>(block.u8(codes + i) >> shift & 3U);
      const int set = static_cast<int>(block.u8(sub % 2 * 16 + i) >> (sub / 2) & 1U);
      out[sub * 16 + i] = scale * static_cast<float>(code + 4 * set - 4);
    }
  }
}

// d, dmin, scales, nibbles: of each 64 elements the first 32 lie in the low ones.
void decode_q4_k(const Block& block, float* out) {
  for (std::size_t group = 0; group < 4; ++group) {
    const auto first = q4_k_pair(block, 2 * group);
    const auto second = q4_k_pair(block, 2 * group + 1);
    const std::size_t codes = 16 + group * 32;
    float* const to = out + group * 64;
    for (std::size_t i = 0; i < 32; ++i) {
      to[i] = first.scale * static_cast<float>(block.low(codes + i)) - first.minimum;
    }
    for (std::size_t i = 0; i < 32; ++i) {
      to[i + 32] = second.scale * static_cast<float>(block.high(codes + i)) - second.minimum;
    }
  }
}

// As Q4_K, with a fifth bit of sub-block j in bit j of 32 bytes before the nibbles.
void decode_q5_k(const Block& block, float* out) {
  for (std::size_t sub = 0; sub < 8; ++sub) {
    const auto [scale, minimum] = q4_k_pair(block, sub);
    const std::size_t codes = 48 + sub / 2 * 32;
    for (std::size_t i = 0; i < 32; ++i) {
      const unsigned low = sub % 2 == 0 ? block.low(codes + i) : block.high(codes + i);
      const unsigned code = low | (block.u8(16 + i) >> sub & 1U) << 4U;
      out[sub * 32 + i] = scale * static_cast<float>(code) - minimum;
    }
  }
}

// Low nibbles, two high bits, 16 signed scales, d. Per 128 elements: 64 bytes of
// nibbles serve 32 elements four times, 32 bytes hold their high bits.
void decode_q6_k(const Block& block, float* out) {
  const float d = block.f16(208);
  for (std::size_t sub = 0; sub < 16; ++sub) {
    const float scale = d * static_cast<float>(block.i8(192 + sub));
    const std::size_t quarter = sub % 8 / 2;  // of the 128
    const std::size_t low_at = sub / 8 * 64 + quarter % 2 * 32 + sub % 2 * 16;
    const std::size_t high_at = 128 + sub / 8 * 32 + sub % 2 * 16;
    for (std::size_t i = 0; i < 16; ++i) {
      const unsigned low = quarter < 2 ? block.low(low_at + i) : block.high(low_at + i);
      const unsigned code = low | (block.u8(high_at + i) >> (2 * quarter) & 3U) << 4U;
      out[sub * 16 + i] = scale * static_cast<float>(static_cast<int>(code) - 32);
    }
  }
}

// d in F32, values, and sums of 16 that are not needed here.
void decode_q8_k(const Block& block, float* out) {
  const float d = block.f32(0);
  for (std::size_t i = 0; i < block_elements; ++i) {
    out[i] = d * static_cast<float>(block.i8(4 + i));
  }
}

}  // namespace

constinit const ElementType q2_k = block_type<decode_q2_k, block_elements, 84>("Q2_K");
constinit const ElementType q3_k = block_type<decode_q3_k, block_elements, 110>("Q3_K");
constinit const ElementType q4_k = block_type<decode_q4_k, block_elements, 144>("Q4_K");
constinit const ElementType q5_k = block_type<decode_q5_k, block_elements, 176>("Q5_K");
constinit const ElementType q6_k = block_type<decode_q6_k, block_elements, 210>("Q6_K");
constinit const ElementType q8_k = block_type<decode_q8_k, block_elements, 292>("Q8_K");

}  // namespace pedigree::types
