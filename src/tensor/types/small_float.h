// Floats of eight bits and fewer, decoded through a table of all their values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/problem.h"
#include "tensor/element_types.h"

namespace pedigree::types {

// How a small float spends its codes: sign, exponent and mantissa bits from the
// top, IEEE-like subnormals, and one of four habits for what is not finite.
struct SmallFloat {
  enum class NotFinite {
    none,            // every code is a number (F4, F6)
    as_ieee,         // highest exponent: infinity and NaN (E5M2)
    top_code_nan,    // only the all-ones magnitude is NaN (E4M3)
    minus_zero_nan,  // the code of −0 is NaN (the FNUZ types)
  };
  int exponent_bits = 0;
  int mantissa_bits = 0;
  int bias = 0;
  NotFinite not_finite = NotFinite::none;

  constexpr unsigned bits() const {
    return 1U + static_cast<unsigned>(exponent_bits) + static_cast<unsigned>(mantissa_bits);
  }
};

constexpr double power_of_two(int exponent) {
  double power = 1;
  for (; exponent > 0; --exponent) power *= 2;
  for (; exponent < 0; ++exponent) power /= 2;
  return power;
}

constexpr float value_of(const SmallFloat& form, unsigned code) {
  const unsigned mantissa_count = 1U << static_cast<unsigned>(form.mantissa_bits);
  const unsigned exponent_count = 1U << static_cast<unsigned>(form.exponent_bits);
  const unsigned mantissa = code % mantissa_count;
  const unsigned exponent = code / mantissa_count % exponent_count;
  const bool negative = code / mantissa_count / exponent_count != 0;
  const bool top_exponent = exponent == exponent_count - 1;
  const bool top_code = top_exponent && mantissa == mantissa_count - 1;
  using enum SmallFloat::NotFinite;
  const bool infinite = form.not_finite == as_ieee && top_exponent && mantissa == 0;
  const bool nan = (form.not_finite == as_ieee && top_exponent && mantissa != 0) ||
                   (form.not_finite == top_code_nan && top_code) ||
                   (form.not_finite == minus_zero_nan && negative && exponent + mantissa == 0);
  if (nan) return std::numeric_limits<float>::quiet_NaN();
  double value = std::numeric_limits<double>::infinity();
  if (!infinite) {
    const unsigned significand = exponent == 0 ? mantissa : mantissa + mantissa_count;
    const int power = static_cast<int>(exponent == 0 ? 1 : exponent) - form.bias;
    value = significand * power_of_two(power - form.mantissa_bits);
  }
  return static_cast<float>(negative ? -value : value);
}

constexpr double largest_of(const SmallFloat& form) {
  const unsigned magnitudes = 1U << static_cast<unsigned>(form.exponent_bits + form.mantissa_bits);
  double largest = 0;
  for (unsigned code = 0; code < magnitudes; ++code) {
    const double value = static_cast<double>(value_of(form, code));
    if (value > largest && value < std::numeric_limits<double>::infinity()) largest = value;
  }
  return largest;
}

template <SmallFloat form>
inline constexpr auto values_of = [] {
  std::array<float, std::size_t{1} << form.bits()> values = {};
  for (unsigned code = 0; code < values.size(); ++code) values[code] = value_of(form, code);
  return values;
}();

// Codes lie one after another, the first in the lowest bits of the first byte;
// none needs more than two bytes.
template <SmallFloat form>
void decode_small(std::span<const std::byte> bytes, std::span<float> out) {
  constexpr std::size_t bits = form.bits();
  constexpr const auto& values = values_of<form>;
  check(bytes.size() >= (out.size() * bits + 7) / 8, "too few bytes to decode");
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t at = i * bits;
    std::size_t window = std::to_integer<std::size_t>(bytes[at / 8]);
    if constexpr (8 % bits != 0) {
      if (at % 8 + bits > 8) window |= std::to_integer<std::size_t>(bytes[at / 8 + 1]) << 8U;
    }
    out[i] = values[window >> at % 8 & (values.size() - 1)];
  }
}

template <SmallFloat form>
constexpr ElementType small_float_type(std::string_view id) {
  return {.id = id,
          .bits = form.bits(),
          .kind = ElementType::Kind::floating,
          .decode = decode_small<form>,
          .precision = form.mantissa_bits + 1,
          .smallest_exponent = 1 - form.bias - form.mantissa_bits,
          .largest = largest_of(form),
          .has_negative_zero = form.not_finite != SmallFloat::NotFinite::minus_zero_nan};
}

}  // namespace pedigree::types
