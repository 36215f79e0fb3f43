// Element types: how a tensor's bytes become numbers.
//
// To add one, write tensor/types/<id>.cc and name it in the table in
// element_types.cc. Decoding is exact: every value of every type here is a
// float, except F64, I32, U32, I64 and U64, which round to nearest. Types whose
// elements share scales are stored in blocks; what a block is worth is defined in
// F32, by the quantiser's own decoder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pedigree {

struct ElementType {
  enum class Kind {
    floating,  // weights
    integer,   // signed or unsigned
    boolean,
    complex,  // two floats an element; never evidence
    scale,    // powers of two beside quantised weights; not parameters
    opaque    // unknown: hashed, never decoded
  };

  std::string_view id;  // "BF16", "Q4_K": as safetensors or GGUF spell it, stable in reports
  unsigned bits = 0;    // of an element by itself; 0 when unknown or stored in blocks
  Kind kind = Kind::opaque;
  unsigned block = 0;  // elements that share a block; 0 for types without blocks
  unsigned block_bytes = 0;

  // Decodes out.size() elements from the start of `bytes`, which holds them all;
  // sub-byte types take the first element from the lowest bits, block types are
  // decoded in whole blocks. Null for opaque and complex types.
  void (*decode)(std::span<const std::byte> bytes, std::span<float> out) = nullptr;

  // Bits of precision a value keeps, the leading one included: 8 for BF16, 11
  // for F16, 24 for F32, 53 for F64; 0 where rounding does not apply. And the
  // exponent of the smallest subnormal: −133, −24, −149, −1074.
  int precision = 0;
  int smallest_exponent = 0;
  double largest = 0;             // the largest finite value, where precision applies
  bool has_negative_zero = true;  // false for the FNUZ types

  // The fewest elements that fill whole bytes, and those bytes: 1 and 4 for F32, 4
  // and 3 for F6, 32 and 18 for Q4_0; 0 when unknown.
  unsigned run() const;
  unsigned run_bytes() const;

  // The bytes of so many elements; none when they are not whole runs or the
  // product is beyond 64 bits.
  std::optional<std::uint64_t> bytes_of(std::uint64_t elements) const;
};

std::span<const ElementType* const> element_types();
const ElementType* find_element_type(std::string_view id);  // null when unknown
const ElementType& opaque_type();

// `type` as big-endian files store it, under the same id; null when none is known to.
const ElementType* big_endian_type(const ElementType& type);

// `value` rounded to nearest even into `type` (a floating type with precision);
// values beyond its range become infinite.
float rounded_to(const ElementType& type, float value);

}  // namespace pedigree
