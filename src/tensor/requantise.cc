#include "tensor/requantise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/problem.h"

namespace pedigree {
namespace {

constexpr std::size_t block = 32;  // of all the types here

using Values = std::span<const float, block>;
using Stored = std::span<float, block>;

float in_half(float value) {
  static const ElementType& half = *find_element_type("F16");
  return rounded_to(half, value);
}

float inverse(float step) { return step == 0 ? 0 : 1 / step; }

float scaled(float value, float by, float plus, Products products) {
  if (products == Products::fused) return std::fma(value, by, plus);
  const float product = value * by;
  return product + plus;
}

// Codes are cut, not rounded: the half added before makes that rounding.
float cut(float value, float largest) { return std::min(std::trunc(value), largest); }

// Codes around `zero`; the value largest in size gets code 0, the first of them at ties.
template <int zero>
void centred(Values values, Products products, Stored out) {
  float farthest = 0;
  for (const float value : values) {
    if (std::fabs(value) > std::fabs(farthest)) farthest = value;
  }
  const float step = farthest / -zero;
  const float by = inverse(step);
  const float kept = in_half(step);
  for (std::size_t i = 0; i < block; ++i) {
    const float code = cut(scaled(values[i], by, zero + 0.5F, products), 2 * zero - 1);
    out[i] = (code - zero) * kept;
  }
}

// Codes from the smallest value to the largest.
template <int largest>
void from_minimum(Values values, Products products, Stored out) {
  const auto [low, high] = std::ranges::minmax(values);
  const float step = (high - low) / largest;
  const float by = inverse(step);
  const float kept = in_half(step);
  const float minimum = in_half(low);
  for (std::size_t i = 0; i < block; ++i) {
    out[i] = cut(scaled(values[i] - low, by, 0.5F, products), largest) * kept + minimum;
  }
}

void of_eight_bits(Values values, Products, Stored out) {
  float farthest = 0;
  for (const float value : values) farthest = std::max(farthest, std::fabs(value));
  const float step = farthest / 127;
  const float by = inverse(step);
  const float kept = in_half(step);
  for (std::size_t i = 0; i < block; ++i) out[i] = std::round(values[i] * by) * kept;
}

template <void (*one)(Values, Products, Stored)>
void in_blocks(std::span<const float> values, Products products, std::span<float> out) {
  check(values.size() % block == 0 && out.size() == values.size(), "part of a block");
  for (std::size_t i = 0; i < values.size(); i += block) {
    one(values.subspan(i).first<block>(), products, out.subspan(i).first<block>());
  }
}

constexpr std::array<std::pair<std::string_view, Requantise>, 5> table = {{
    {"Q4_0", in_blocks<centred<8>>},
    {"Q4_1", in_blocks<from_minimum<15>>},
    {"Q5_0", in_blocks<centred<16>>},
    {"Q5_1", in_blocks<from_minimum<31>>},
    {"Q8_0", in_blocks<of_eight_bits>},
}};

}  // namespace

Requantise requantiser_of(const ElementType& type) {
  const auto at = std::ranges::find(table, type.id, &decltype(table)::value_type::first);
  return at == table.end() ? nullptr : at->second;
}

}  // namespace pedigree
