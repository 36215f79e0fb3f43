#include "tensor/element_types.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/problem.h"
#include "tensor/types/types.h"

namespace pedigree {
namespace {

constexpr std::array table = {
    &types::boolean,     &types::f4,        &types::f6_e2m3,  &types::f6_e3m2,
    &types::u4,          &types::i4,        &types::u8,       &types::i8,
    &types::f8_e5m2,     &types::f8_e4m3,   &types::f8_e8m0,  &types::f8_e4m3fnuz,
    &types::f8_e5m2fnuz, &types::u16,       &types::i16,      &types::f16,
    &types::bf16,        &types::u32,       &types::i32,      &types::f32,
    &types::u64,         &types::i64,       &types::f64,      &types::c64,
    &types::q4_0,        &types::q4_1,      &types::q5_0,     &types::q5_1,
    &types::q8_0,        &types::q8_1,      &types::q1_0,     &types::q2_0,
    &types::q2_k,        &types::q3_k,      &types::q4_k,     &types::q5_k,
    &types::q6_k,        &types::q8_k,      &types::iq4_nl,   &types::iq4_xs,
    &types::iq1_s,       &types::iq1_m,     &types::iq2_xxs,  &types::iq2_xs,
    &types::iq2_s,       &types::iq3_xxs,   &types::iq3_s,    &types::tq1_0,
    &types::tq2_0,       &types::mxfp4,     &types::nvfp4,    &types::gptq,
    &types::awq,         &types::bnb_4bit,  &types::bnb_int8, &types::fp8_scaled,
    &types::int8_scaled, &types::ct_packed, &types::mlx,      &types::hqq,
};

constinit const ElementType opaque = {.id = "opaque"};

// 2^exponent for exponents of normal doubles.
double normal_power(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52U);
}

}  // namespace

unsigned ElementType::run() const {
  if (block != 0 || bits == 0) return block;
  return 8 / std::gcd(bits, 8U);
}

unsigned ElementType::run_bytes() const { return block != 0 ? block_bytes : run() * bits / 8; }

std::optional<std::uint64_t> ElementType::bytes_of(std::uint64_t elements) const {
  const unsigned unit = run();
  if (unit == 0 || elements % unit != 0) return std::nullopt;
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements / unit, std::uint64_t{run_bytes()}, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

std::span<const ElementType* const> element_types() { return table; }

const ElementType* find_element_type(std::string_view id) {
  const auto found = std::ranges::find(table, id, &ElementType::id);
  return found == table.end() ? nullptr : *found;
}

const ElementType& opaque_type() { return opaque; }

// In double, adding 1.5 · 2^(52 + q) leaves no bits below 2^q, and the addition
// itself rounds to nearest even; taking it away again is exact. The quantum 2^q
// is that of the value's own exponent, or of the type's subnormals.
float rounded_to(const ElementType& type, float value) {
  check(type.precision > 0, "rounding to a type that has no precision");
  if (type.precision >= 24 || !std::isfinite(value)) return value;
  const auto field = static_cast<int>(std::bit_cast<std::uint32_t>(value) >> 23U & 0xFFU);
  const int exponent = std::max(field, 1) - 127;
  const int quantum = std::max(exponent - type.precision + 1, type.smallest_exponent);
  const double anchor = 1.5 * normal_power(52 + quantum);
  double rounded = (static_cast<double>(value) + anchor) - anchor;
  if (std::fabs(rounded) > type.largest) rounded = std::numeric_limits<double>::infinity();
  if (rounded == 0 && !type.has_negative_zero) return 0;
  return static_cast<float>(std::copysign(rounded, static_cast<double>(value)));
}

}  // namespace pedigree
