// ggml's first quantisers: 32 elements share a scale d and, in the _1 types, a
// minimum m. Byte j of the nibbles holds elements j and j + 16.
#include "tensor/types/blocks.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

constexpr std::size_t half = 16;

void decode_q4_0(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t j = 0; j < half; ++j) {
    out[j] = static_cast<float>(static_cast<int>(block.low(2 + j)) - 8) * d;
    out[j + half] = static_cast<float>(static_cast<int>(block.high(2 + j)) - 8) * d;
  }
}

void decode_q4_1(const Block& block, float* out) {
  const float d = block.f16(0);
  const float m = block.f16(2);
  for (std::size_t j = 0; j < half; ++j) {
    out[j] = static_cast<float>(block.low(4 + j)) * d + m;
    out[j + half] = static_cast<float>(block.high(4 + j)) * d + m;
  }
}

// The fifth bit of element i is bit i of a word before the nibbles.
void decode_q5_0(const Block& block, float* out) {
  const float d = block.f16(0);
  const std::uint32_t fifth = block.u32(2);
  for (std::size_t j = 0; j < half; ++j) {
    const unsigned first = block.low(6 + j) | (fifth >> j & 1U) << 4U;
    const unsigned second = block.high(6 + j) | (fifth >> (j + half) & 1U) << 4U;
    out[j] = static_cast<float>(static_cast<int>(first) - 16) * d;
    out[j + half] = static_cast<float>(static_cast<int>(second) - 16) * d;
  }
}

void decode_q5_1(const Block& block, float* out) {
  const float d = block.f16(0);
  const float m = block.f16(2);
  const std::uint32_t fifth = block.u32(4);
  for (std::size_t j = 0; j < half; ++j) {
    const unsigned first = block.low(8 + j) | (fifth >> j & 1U) << 4U;
    const unsigned second = block.high(8 + j) | (fifth >> (j + half) & 1U) << 4U;
    out[j] = static_cast<float>(first) * d + m;
    out[j + half] = static_cast<float>(second) * d + m;
  }
}

template <std::size_t values_at>
void decode_q8(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t j = 0; j < 32; ++j) out[j] = static_cast<float>(block.i8(values_at + j)) * d;
}

// One bit an element: +d where it is set, −d where not.
void decode_q1_0(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t i = 0; i < 128; ++i) {
    const unsigned set = block.u8(2 + i / 8) >> (i % 8) & 1U;
    out[i] = static_cast<float>(static_cast<int>(2 * set) - 1) * d;
  }
}

// Two bits an element, the first in the lowest.
void decode_q2_0(const Block& block, float* out) {
  const float d = block.f16(0);
  for (std::size_t i = 0; i < 64; ++i) {
    const unsigned code = block.u8(2 + i / 4) >> (i % 4 * 2) & 3U;
    out[i] = static_cast<float>(static_cast<int>(code) - 1) * d;
  }
}

}  // namespace

constinit const ElementType q4_0 = block_type<decode_q4_0, 32, 18>("Q4_0");
constinit const ElementType q4_1 = block_type<decode_q4_1, 32, 20>("Q4_1");
constinit const ElementType q5_0 = block_type<decode_q5_0, 32, 22>("Q5_0");
constinit const ElementType q5_1 = block_type<decode_q5_1, 32, 24>("Q5_1");
constinit const ElementType q8_0 = block_type<decode_q8<2>, 32, 34>("Q8_0");
// d, the sum of the block times d (not needed here), values.
constinit const ElementType q8_1 = block_type<decode_q8<4>, 32, 36>("Q8_1");
constinit const ElementType q1_0 = block_type<decode_q1_0, 128, 18>("Q1_0");
constinit const ElementType q2_0 = block_type<decode_q2_0, 64, 18>("Q2_0");

}  // namespace pedigree::types
