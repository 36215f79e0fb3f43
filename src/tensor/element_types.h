// Element types: how a tensor's bytes become numbers.
//
// To add one, write tensor/types/<id>.cc and name it in the table in
// element_types.cc. Decoding is exact: every value of every type here is a
// float, except F64, I32, U32, I64 and U64, which round to nearest.
#pragma once

#include <cstddef>
#include <cstdint>
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

  std::string_view id;  // "BF16": the safetensors spelling, stable in reports
  unsigned bits = 0;    // an element; 0 when unknown
  Kind kind = Kind::opaque;

  // Decodes out.size() elements from the start of `bytes`, which holds them all;
  // sub-byte types take the first element from the lowest bits. Null for opaque
  // and complex types.
  void (*decode)(std::span<const std::byte> bytes, std::span<float> out) = nullptr;

  // Bits of precision a value keeps, the leading one included: 8 for BF16, 11
  // for F16, 24 for F32, 53 for F64; 0 where rounding does not apply. And the
  // exponent of the smallest subnormal: −133, −24, −149, −1074.
  int precision = 0;
  int smallest_exponent = 0;
  double largest = 0;             // the largest finite value, where precision applies
  bool has_negative_zero = true;  // false for the FNUZ types
};

std::span<const ElementType* const> element_types();
const ElementType* find_element_type(std::string_view id);  // null when unknown
const ElementType& opaque_type();

// `value` rounded to nearest even into `type` (a floating type with precision);
// values beyond its range become infinite.
float rounded_to(const ElementType& type, float value);

}  // namespace pedigree
