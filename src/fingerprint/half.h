// Sixteen-bit floats with a power-of-two scale: how arrays lie in the container.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pedigree {

// Round to nearest even; beyond the range becomes infinite.
std::uint16_t half_bits(float value);
float half_value(std::uint16_t bits);

// value × 2^exponent, rounded once to nearest even where it is not exact.
float scaled(float value, int exponent);

// The exponent k for which the largest magnitude × 2^k, rounded to f16, lies in
// [2^14, 2^15); 0 when all values are zero. Values must be finite.
int scale_exponent(std::span<const float> values);

// Values as f16 after × 2^exponent. `low` holds what the first half lost, × 2^11,
// and is empty when nothing was lost or it was not asked for.
struct HalfPair {
  int exponent = 0;
  std::vector<std::uint16_t> high = {};
  std::vector<std::uint16_t> low = {};
};

HalfPair to_halves(std::span<const float> values, bool keep_low);
std::vector<float> from_halves(const HalfPair& halves);

}  // namespace pedigree
