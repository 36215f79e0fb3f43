#include "tensor/block_steps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "tensor/types/ggml_scales.h"

namespace pedigree {
namespace {

using types::Block;
using types::ScaleAndMinimum;

// What a code is worth before scaling, ascending.
using Codes = std::span<const float>;

template <int lowest, std::size_t count>
constexpr std::array<float, count> integers() {
  std::array<float, count> codes = {};
  for (std::size_t i = 0; i < count; ++i)
    codes[i] = static_cast<float>(lowest + static_cast<int>(i));
  return codes;
}

constexpr auto ternary = integers<-1, 3>();
constexpr auto two_bits = integers<0, 4>();
constexpr auto three_bits_around = integers<-4, 8>();
constexpr auto four_bits = integers<0, 16>();
constexpr auto four_bits_around = integers<-8, 16>();
constexpr auto five_bits = integers<0, 32>();
constexpr auto five_bits_around = integers<-16, 32>();
constexpr auto six_bits_around = integers<-32, 64>();
constexpr auto eight_bits_around = integers<-128, 256>();
constexpr std::array<float, 15> e2m1 = {-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12};

struct Layout {
  std::string_view id;
  Codes codes;
  std::size_t run;  // elements that share a scale
  ScaleAndMinimum (*scales)(const Block& block, std::size_t run);
};

template <std::size_t at>
ScaleAndMinimum half_at(const Block& block, std::size_t) {
  return {.scale = block.f16(at)};
}

ScaleAndMinimum half_and_minimum(const Block& block, std::size_t) {
  return {.scale = block.f16(0), .minimum = -block.f16(2)};
}

ScaleAndMinimum q3_k(const Block& block, std::size_t run) {
  return {.scale = block.f16(108) * static_cast<float>(types::q3_k_scales(block)[run])};
}

ScaleAndMinimum q6_k(const Block& block, std::size_t run) {
  return {.scale = block.f16(208) * static_cast<float>(block.i8(192 + run))};
}

ScaleAndMinimum q8_k(const Block& block, std::size_t) { return {.scale = block.f32(0)}; }

ScaleAndMinimum iq4_xs(const Block& block, std::size_t run) {
  return {.scale = types::iq4_xs_step(block, run)};
}

ScaleAndMinimum mxfp4(const Block& block, std::size_t) {
  return {.scale = types::half_e8m0(block.u8(0))};
}

ScaleAndMinimum nvfp4(const Block& block, std::size_t run) {
  return {.scale = types::half_ue4m3(block.u8(run))};
}

constexpr std::array layouts = {
    Layout{.id = "Q4_0", .codes = four_bits_around, .run = 32, .scales = half_at<0>},
    Layout{.id = "Q4_1", .codes = four_bits, .run = 32, .scales = half_and_minimum},
    Layout{.id = "Q5_0", .codes = five_bits_around, .run = 32, .scales = half_at<0>},
    Layout{.id = "Q5_1", .codes = five_bits, .run = 32, .scales = half_and_minimum},
    Layout{.id = "Q8_0", .codes = eight_bits_around, .run = 32, .scales = half_at<0>},
    Layout{.id = "Q2_K", .codes = two_bits, .run = 16, .scales = types::q2_k_pair},
    Layout{.id = "Q3_K", .codes = three_bits_around, .run = 16, .scales = q3_k},
    Layout{.id = "Q4_K", .codes = four_bits, .run = 32, .scales = types::q4_k_pair},
    Layout{.id = "Q5_K", .codes = five_bits, .run = 32, .scales = types::q4_k_pair},
    Layout{.id = "Q6_K", .codes = six_bits_around, .run = 16, .scales = q6_k},
    Layout{.id = "Q8_K", .codes = eight_bits_around, .run = 256, .scales = q8_k},
    Layout{.id = "IQ4_NL", .codes = types::iq4_values, .run = 32, .scales = half_at<0>},
    Layout{.id = "IQ4_XS", .codes = types::iq4_values, .run = 32, .scales = iq4_xs},
    Layout{.id = "TQ1_0", .codes = ternary, .run = 256, .scales = half_at<52>},
    Layout{.id = "TQ2_0", .codes = ternary, .run = 256, .scales = half_at<64>},
    Layout{.id = "MXFP4", .codes = e2m1, .run = 32, .scales = mxfp4},
    Layout{.id = "NVFP4", .codes = e2m1, .run = 16, .scales = nvfp4},
};

const Layout* layout_of(const ElementType& type) {
  const auto at = std::ranges::find(layouts, type.id, &Layout::id);
  return at == layouts.end() ? nullptr : &*at;
}

// Beside the code that `value` was made of.
float gap_at(Codes codes, float value) {
  const auto above = std::ranges::lower_bound(codes, value);
  auto nearest = static_cast<std::size_t>(above - codes.begin());
  if (nearest == codes.size() ||
      (nearest > 0 && value - codes[nearest - 1] < codes[nearest] - value)) {
    --nearest;
  }
  const std::size_t last = codes.size() - 1;
  if (nearest == 0) return 2 * (codes[1] - codes[0]);
  if (nearest == last) return 2 * (codes[last] - codes[last - 1]);
  return std::max(codes[nearest] - codes[nearest - 1], codes[nearest + 1] - codes[nearest]);
}

// Measured on 4 × 512 normal values: scripts/build-ggml-quantiser, llama_quantiser.py.
constexpr std::array<std::pair<std::string_view, double>, 7> usual_errors = {{
    {"IQ3_S", 0.17},
    {"IQ3_XXS", 0.21},
    {"IQ2_S", 0.26},
    {"IQ2_XS", 0.29},
    {"IQ2_XXS", 0.34},
    {"IQ1_M", 0.46},
    {"IQ1_S", 0.49},
}};

}  // namespace

bool has_block_steps(const ElementType& type) { return layout_of(type) != nullptr; }

void block_steps(const ElementType& type, std::span<const std::byte> bytes, std::span<float> out) {
  const Layout* layout = layout_of(type);
  check(layout != nullptr, "steps of a type that has none");
  type.decode(bytes, out);
  for (std::size_t i = 0; i < out.size(); i += layout->run) {
    const Block block(bytes.data() + i / type.block * type.block_bytes);
    const auto [scale, minimum] = layout->scales(block, i % type.block / layout->run);
    for (float& value : out.subspan(i, layout->run)) {
      const float code = scale == 0 ? 0 : (value + minimum) / scale;
      const float step = std::fabs(scale) * gap_at(layout->codes, code);
      // Scales were rounded to half precision after they had rounded values.
      const float rounding = (std::fabs(value) + std::fabs(minimum)) * 0x1p-10F;
      value = scale != 0 && std::isfinite(step + rounding) ? step + rounding : 0;
    }
  }
}

double usual_error(const ElementType& type) {
  const auto at =
      std::ranges::find(usual_errors, type.id, &decltype(usual_errors)::value_type::first);
  return at == usual_errors.end() ? 0 : at->second;
}

}  // namespace pedigree
