#include "tensor/types/stored.h"
#include "tensor/types/types.h"

namespace pedigree::types {
namespace {

// Conversion rounds to nearest even where the integer has over 24 bits.
template <class Integer>
void decode(std::span<const std::byte> bytes, std::span<float> out) {
  decode_stored<Integer>(bytes, out, [](Integer value) { return static_cast<float>(value); });
}

template <class Integer>
constexpr ElementType integer_type(std::string_view id) {
  return {.id = id,
          .bits = 8 * sizeof(Integer),
          .kind = ElementType::Kind::integer,
          .decode = decode<Integer>};
}

// Two in a byte, the first in the low half, as ONNX has them.
template <bool is_signed>
void decode_halves(std::span<const std::byte> bytes, std::span<float> out) {
  check(bytes.size() >= (out.size() + 1) / 2, "too few bytes to decode");
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int code = std::to_integer<int>(bytes[i / 2]) >> (i % 2 * 4) & 0xF;
    out[i] = static_cast<float>(is_signed && code > 7 ? code - 16 : code);
  }
}

template <bool is_signed>
constexpr ElementType half_byte_type(std::string_view id) {
  return {
      .id = id, .bits = 4, .kind = ElementType::Kind::integer, .decode = decode_halves<is_signed>};
}

}  // namespace

constinit const ElementType u4 = half_byte_type<false>("U4");
constinit const ElementType i4 = half_byte_type<true>("I4");
constinit const ElementType u8 = integer_type<std::uint8_t>("U8");
constinit const ElementType i8 = integer_type<std::int8_t>("I8");
constinit const ElementType u16 = integer_type<std::uint16_t>("U16");
constinit const ElementType i16 = integer_type<std::int16_t>("I16");
constinit const ElementType u32 = integer_type<std::uint32_t>("U32");
constinit const ElementType i32 = integer_type<std::int32_t>("I32");
constinit const ElementType u64 = integer_type<std::uint64_t>("U64");
constinit const ElementType i64 = integer_type<std::int64_t>("I64");

}  // namespace pedigree::types
