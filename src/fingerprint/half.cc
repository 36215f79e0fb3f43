#include "fingerprint/half.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/problem.h"

namespace pedigree {
namespace {

constexpr int low_shift = 11;  // bits of precision of the first half

double power_of_two(int exponent) {
  check(exponent >= -1022 && exponent <= 1023, "a scale beyond double");
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52U);
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
  const auto sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
  const std::uint32_t magnitude = bits & 0x7FFFU;
  if (magnitude < 0x400U) {
    const float value = static_cast<float>(magnitude) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  const std::uint32_t rebias = magnitude >= 0x7C00U ? 0x7000'0000U : 0x3800'0000U;
  return std::bit_cast<float>(((magnitude << 13U) + rebias) | sign);
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
  halves.high.reserve(values.size());
  bool lost = false;
  for (const float value : values) {
    const float whole = scaled(value, halves.exponent);
    halves.high.push_back(half_bits(whole));
    lost = lost || half_value(halves.high.back()) != whole;
  }
  if (!lost || !keep_low) return halves;
  halves.low.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float rest = scaled(values[i], halves.exponent) - half_value(halves.high[i]);
    halves.low.push_back(half_bits(scaled(rest, low_shift)));
  }
  return halves;
}

std::vector<float> from_halves(const HalfPair& halves) {
  check(halves.low.empty() || halves.low.size() == halves.high.size(), "halves of unequal length");
  std::vector<float> values;
  values.reserve(halves.high.size());
  const double low_scale = power_of_two(-low_shift);
  const double scale = power_of_two(-halves.exponent);
  for (std::size_t i = 0; i < halves.high.size(); ++i) {
    auto value = static_cast<double>(half_value(halves.high[i]));
    if (!halves.low.empty()) value += static_cast<double>(half_value(halves.low[i])) * low_scale;
    values.push_back(static_cast<float>(value * scale));
  }
  return values;
}

}  // namespace pedigree
