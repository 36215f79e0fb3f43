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

}  // namespace

constinit const ElementType u8 = integer_type<std::uint8_t>("U8");
constinit const ElementType i8 = integer_type<std::int8_t>("I8");
constinit const ElementType u16 = integer_type<std::uint16_t>("U16");
constinit const ElementType i16 = integer_type<std::int16_t>("I16");
constinit const ElementType u32 = integer_type<std::uint32_t>("U32");
constinit const ElementType i32 = integer_type<std::int32_t>("I32");
constinit const ElementType u64 = integer_type<std::uint64_t>("U64");
constinit const ElementType i64 = integer_type<std::int64_t>("I64");

}  // namespace pedigree::types
