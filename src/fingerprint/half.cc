#include "fingerprint/half.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/problem.h"
#include "tensor/tensor.h"

namespace pedigree {
namespace {

constexpr int low_shift = 11;  // bits of precision of the first half

double power_of_two(int exponent) {
  check(exponent >= -1022 && exponent <= 1023, "a scale beyond double");
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52U);
}

// What 16 bits are worth is said once, where element types are.
void decode(std::span<const std::uint16_t> halves, std::span<float> out) {
  static const ElementType& type = *find_element_type("F16");
  type.decode(std::as_bytes(halves), out);
}

std::vector<float> decoded(std::span<const std::uint16_t> halves) {
  std::vector<float> values(halves.size());
  decode(halves, values);
  return values;
}

}  // namespace

std::uint16_t half_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16U & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFF'FFFFU;
  if (magnitude > 0x7F80'0000U) return static_cast<std::uint16_t>(sign | 0x7E00U);
  if (magnitude >= 0x4780'0000U) return static_cast<std::uint16_t>(sign | 0x7C00U);
  if (magnitude < 0x3880'0000U) {  // subnormal: adding 0.5 lines its bits up
    const float aligned = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign |
                                      (std::bit_cast<std::uint32_t>(aligned) - 0x3F00'0000U));
  }
  const std::uint32_t odd = magnitude >> 13U & 1U;
  const std::uint32_t rounded = magnitude - 0x3800'0000U + 0xFFFU + odd;
  return static_cast<std::uint16_t>(sign | rounded >> 13U);
}

float half_value(std::uint16_t bits) {
  float value = 0;
  decode({&bits, 1}, {&value, 1});
  return value;
}

float scaled(float value, int exponent) {
  return static_cast<float>(static_cast<double>(value) * power_of_two(exponent));
}

int scale_exponent(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  check(std::isfinite(largest), "scaling a value that is not finite");
  if (largest == 0) return 0;
  const int exponent = 14 - std::ilogb(largest);
  const bool rounds_up = half_value(half_bits(scaled(largest, exponent))) >= 0x1p15F;
  return rounds_up ? exponent - 1 : exponent;
}

HalfPair to_halves(std::span<const float> values, bool keep_low) {
  HalfPair halves = {.exponent = scale_exponent(values)};
  std::vector<float> whole(values.size());
  std::ranges::transform(values, whole.begin(),
                         [&](float value) { return scaled(value, halves.exponent); });
  halves.high.resize(values.size());
  std::ranges::transform(whole, halves.high.begin(), half_bits);
  if (!keep_low) return halves;
  const std::vector<float> kept = decoded(halves.high);
  if (std::ranges::equal(kept, whole)) return halves;
  halves.low.resize(values.size());
  std::ranges::transform(whole, kept, halves.low.begin(), [](float value, float high) {
    return half_bits(scaled(value - high, low_shift));
  });
  return halves;
}

std::vector<float> from_halves(const HalfPair& halves) {
  check(halves.low.empty() || halves.low.size() == halves.high.size(), "halves of unequal length");
  const double scale = power_of_two(-halves.exponent);
  std::vector<float> values = decoded(halves.high);
  if (halves.low.empty()) {
    for (float& value : values) value = static_cast<float>(static_cast<double>(value) * scale);
    return values;
  }
  const double low_scale = power_of_two(-low_shift);
  const std::vector<float> rest = decoded(halves.low);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double both = static_cast<double>(values[i]) + static_cast<double>(rest[i]) * low_scale;
    values[i] = static_cast<float>(both * scale);
  }
  return values;
}

}  // namespace pedigree
