#include "fingerprint/lattice.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ranges>

#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

constexpr std::size_t rows = 16;
constexpr std::size_t cols = 256;

// Sums of uniform numbers: bell-shaped, full mantissas.
std::vector<float> weights(std::uint64_t seed) {
  made::Numbers numbers(seed);
  std::vector<float> values(rows * cols);
  for (float& value : values) {
    float sum = 0;
    for (int i = 0; i < 8; ++i) sum += numbers.next() * 1.00390625F;
    value = sum / 97.0F;
  }
  return values;
}

void store(std::vector<float>& values, std::string_view type) {
  for (float& value : values) value = rounded_to(*find_element_type(type), value);
}

struct Quantiser {
  std::size_t group = 32;
  int levels = 7;  // largest multiple; of the whole range in the offset form
  bool offset = false;
};

// The textbook form: scale by the largest magnitude (or the range), round, scale back.
std::vector<float> dequantised(std::vector<float> values, const Quantiser& quantiser) {
  for (std::size_t begin = 0; begin < values.size(); begin += quantiser.group) {
    const auto block = std::span(values).subspan(begin, quantiser.group);
    const auto [low, high] = std::ranges::minmax(block);
    const float origin = quantiser.offset ? low : 0;
    const float reach = quantiser.offset ? high - low : std::max(std::fabs(low), std::fabs(high));
    const float step = reach / static_cast<float>(quantiser.levels);
    for (float& value : block) value = std::nearbyint((value - origin) / step) * step + origin;
  }
  return values;
}

Lattice found_in(const std::vector<float>& values, std::string_view type) {
  return find_lattice(rows, cols, values, *find_element_type(type));
}

}  // namespace

TEST_CASE("weights that were never quantised show no lattice in any type") {
  for (const std::string_view type : {"F32", "F16", "BF16"}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      auto values = weights(seed);
      store(values, type);
      CHECK_FALSE(found_in(values, type).found());
      CHECK_FALSE(found_in(values, "F32").found());  // also when copied into wider elements
    }
  }
}

TEST_CASE("a symmetric 4-bit copy is found with its group and its steps") {
  for (const std::string_view type : {"F32", "F16", "BF16"}) {
    for (const std::size_t group : {std::size_t{16}, std::size_t{32}, std::size_t{128}}) {
      const auto original = weights(group);
      auto values = dequantised(original, {.group = group});
      store(values, type);
      const Lattice lattice = found_in(values, type);
      CHECK(lattice.group == group);
      CHECK_FALSE(lattice.offset);
      const std::vector<std::uint64_t> places = {0, 5, cols - 1};
      const auto steps = lattice_steps(lattice, std::span(values).first(cols), places);
      const float largest =
          std::ranges::max(original | std::views::take(group) |
                           std::views::transform([](float value) { return std::fabs(value); }));
      CHECK(steps[0] == doctest::Approx(static_cast<double>(largest / 7)).epsilon(0.01));
      CHECK(steps[0] == steps[1]);
    }
  }
}

TEST_CASE("an 8-bit copy and one with offsets are found") {
  for (const std::string_view type : {"F32", "F16"}) {
    auto eight = dequantised(weights(1), {.group = 64, .levels = 127});
    store(eight, type);
    CHECK(found_in(eight, type).group == 64);
    auto offset = dequantised(weights(2), {.group = 32, .levels = 15, .offset = true});
    store(offset, type);
    const Lattice lattice = found_in(offset, type);
    CHECK(lattice.group == 32);
    CHECK(lattice.offset);
  }
}

TEST_CASE("one step for a whole row is told from smaller groups") {
  auto values = dequantised(weights(3), {.group = cols, .levels = 127});
  store(values, "F16");
  CHECK(found_in(values, "F16").group == cols);
}

TEST_CASE("a copy that was trained on shows no lattice") {
  auto values = dequantised(weights(4), {});
  made::Numbers numbers(5);
  for (float& value : values) value += numbers.next() * 0.0005F;
  store(values, "F16");
  CHECK_FALSE(found_in(values, "F16").found());
}

TEST_CASE("constants, zeros and tables of powers are no lattice") {
  CHECK_FALSE(found_in(std::vector<float>(rows * cols, 0.0F), "F32").found());
  CHECK_FALSE(found_in(std::vector<float>(rows * cols, 0.02F), "F32").found());
  CHECK_FALSE(find_lattice(0, 0, {}, *find_element_type("F32")).found());
  auto sparse = weights(6);
  made::Numbers numbers(7);
  for (float& value : sparse) {
    if (numbers.word() % 10 != 0) value = 0;
  }
  CHECK_FALSE(found_in(sparse, "F32").found());
}

}  // namespace pedigree
