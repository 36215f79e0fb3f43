// Element types stored in blocks: the loop over whole blocks, and how a row of the
// table is made of the decoder of one block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/problem.h"
#include "tensor/element_types.h"
#include "tensor/types/half_float.h"

namespace pedigree::types {

// A stored block; little-endian numbers are read from it at a byte offset.
class Block {
 public:
  explicit Block(const std::byte* bytes) : bytes_(bytes) {}

  unsigned u8(std::size_t at) const { return std::to_integer<unsigned>(bytes_[at]); }
  int i8(std::size_t at) const { return static_cast<std::int8_t>(u8(at)); }
  unsigned low(std::size_t at) const { return u8(at) & 0xFU; }
  unsigned high(std::size_t at) const { return u8(at) >> 4U; }
  std::uint16_t u16(std::size_t at) const { return read<std::uint16_t>(at); }
  std::uint32_t u32(std::size_t at) const { return read<std::uint32_t>(at); }
  float f16(std::size_t at) const { return widened_half(u16(at)); }
  float f32(std::size_t at) const { return read<float>(at); }

 private:
  template <class T>
  T read(std::size_t at) const {
    T value = {};
    std::memcpy(&value, bytes_ + at, sizeof value);
    return value;
  }

  const std::byte* bytes_;
};

// Decodes one block into its elements.
using DecodeBlock = void (*)(const Block& block, float* out);

template <DecodeBlock decode_one, unsigned elements, unsigned bytes_each>
void decode_blocks(std::span<const std::byte> bytes, std::span<float> out) {
  const std::size_t count = out.size() / elements;
  check(out.size() % elements == 0, "part of a block cannot be decoded");
  check(bytes.size() / bytes_each >= count, "too few bytes to decode");
  for (std::size_t i = 0; i < count; ++i) {
    decode_one(Block(bytes.data() + i * bytes_each), out.data() + i * elements);
  }
}

// Values are products and sums rounded to F32, so F32 is what they are rounded to.
template <DecodeBlock decode_one, unsigned elements, unsigned bytes>
constexpr ElementType block_type(std::string_view id) {
  return {.id = id,
          .kind = ElementType::Kind::floating,
          .block = elements,
          .block_bytes = bytes,
          .decode = decode_blocks<decode_one, elements, bytes>,
          .precision = 24,
          .smallest_exponent = -149,
          .largest = 0x1.FFFFFEp127};
}

}  // namespace pedigree::types
