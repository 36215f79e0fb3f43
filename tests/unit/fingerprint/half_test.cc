#include "fingerprint/half.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/element_types.h"
#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

std::vector<float> floats_of(const JsonValue& list) {
  std::vector<float> values;
  for (const std::uint64_t bits : made::counts(list)) {
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  return values;
}

std::vector<std::uint64_t> widened(const std::vector<std::uint16_t>& words) {
  return {words.begin(), words.end()};
}

}  // namespace

TEST_CASE("all sixteen-bit floats decode as the element type says and encode back") {
  const ElementType* const type = find_element_type("F16");
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto word = static_cast<std::uint16_t>(bits);
    std::array<std::byte, 2> bytes = {};
    std::memcpy(bytes.data(), &word, 2);
    std::array<float, 1> expected = {};
    type->decode(bytes, expected);
    const float value = half_value(word);
    if (std::isnan(expected[0])) {
      CHECK(std::isnan(value));
      continue;
    }
    REQUIRE(std::bit_cast<std::uint32_t>(value) == std::bit_cast<std::uint32_t>(expected[0]));
    REQUIRE(half_bits(value) == word);
  }
}

TEST_CASE("floats round to halves as the element type's rounding says") {
  made::Numbers numbers(3);
  const ElementType& type = *find_element_type("F16");
  for (int i = 0; i < 20000; ++i) {
    const auto bits = static_cast<std::uint32_t>(numbers.word() & 0x7FFFFFFFU) % 0x48000000U;
    const auto value = std::bit_cast<float>(bits | (i % 2 == 0 ? 0 : 0x80000000U));
    REQUIRE(half_value(half_bits(value)) == rounded_to(type, value));
  }
}

TEST_CASE("packing gives the independent reader's bits") {
  const JsonValue vectors = made::vectors("halves.json");
  CHECK(vectors.find("halves")->items.size() == 9);
  for (const JsonValue& vector : vectors.find("halves")->items) {
    const HalfPair pair = to_halves(floats_of(*vector.find("values")), true);
    const JsonValue& exponent = *vector.find("exponent");
    const std::int64_t expected = exponent.kind == JsonValue::Kind::integer
                                      ? exponent.integer
                                      : static_cast<std::int64_t>(exponent.unsigned_integer);
    CHECK(pair.exponent == expected);
    CHECK(widened(pair.high) == made::counts(*vector.find("high")));
    CHECK(widened(pair.low) == made::counts(*vector.find("low")));
  }
}

TEST_CASE("BF16 values within 29 binades of the largest are kept exactly") {
  made::Numbers numbers(4);
  std::vector<float> values = {1.9921875F};
  for (int i = 0; i < 2000; ++i) {
    const float mantissa = 1.0F + static_cast<float>(numbers.word() % 128) / 128.0F;
    const float value = std::ldexp(mantissa, -static_cast<int>(numbers.word() % 29));
    values.push_back(i % 2 == 0 ? value : -value);
  }
  const HalfPair pair = to_halves(values, false);
  CHECK(from_halves(pair) == values);
}

TEST_CASE("a second half keeps changes a single one would lose") {
  const std::vector<float> values = {1.0F, 1.0F + 0x1p-20F, -0.3F, 1e-6F};
  const std::vector<float> kept = from_halves(to_halves(values, true));
  const std::vector<float> lost = from_halves(to_halves(values, false));
  CHECK(kept[1] == values[1]);
  CHECK(lost[1] == 1.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(std::fabs(kept[i] - values[i]) <= std::fabs(values[i]) * 0x1p-21F);
  }
}

TEST_CASE("what was packed once packs to the same bits again") {
  made::Numbers numbers(9);
  for (int i = 0; i < 200; ++i) {
    std::vector<float> values = numbers.take(16);
    values.push_back(std::bit_cast<float>(0x3FFFFFFFU));  // rounds up to the next binade
    const HalfPair once = to_halves(values, false);
    const HalfPair twice = to_halves(from_halves(once), false);
    CHECK(once.exponent == twice.exponent);
    CHECK(once.high == twice.high);
  }
}

}  // namespace pedigree
