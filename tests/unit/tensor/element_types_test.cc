#include "tensor/element_types.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/files.h"
#include "base/json.h"

namespace pedigree {
namespace {

constexpr std::uint32_t canonical_nan = 0x7FC00000;

const JsonValue& vectors() {
  static const JsonDocument document = [] {
    const std::string path = std::string(PEDIGREE_FIXTURES) + "/vectors/element_types.json";
    const auto text = read_small_file(path, "element_types.json");
    REQUIRE(text.has_value());
    auto parsed = parse_json(*text, "element_types.json");
    REQUIRE(parsed.has_value());
    return *parsed;
  }();
  return document.root;
}

std::vector<std::uint32_t> words(std::string_view hex) {
  std::vector<std::uint32_t> found;
  for (; hex.size() >= 8; hex.remove_prefix(8)) {
    const std::string word(hex.substr(0, 8));
    found.push_back(static_cast<std::uint32_t>(std::stoul(word, nullptr, 16)));
  }
  return found;
}

std::vector<std::uint32_t> words_of(std::string_view section, std::string_view name,
                                    std::string_view part = {}) {
  const JsonValue* value = vectors().find(section)->find(name);
  if (!part.empty()) value = value->find(part);
  return words(*value->as_string());
}

std::uint32_t bits_of(float value) {
  return std::isnan(value) ? canonical_nan : std::bit_cast<std::uint32_t>(value);
}

// All codes of a type in order, packed as the format packs them.
std::vector<std::byte> all_codes(unsigned bits) {
  const std::size_t count = std::size_t{1} << bits;
  std::vector<std::byte> bytes(count * bits / 8);
  for (std::size_t code = 0; code < count; ++code) {
    for (std::size_t bit = 0; bit < bits; ++bit) {
      if ((code >> bit & 1U) == 0) continue;
      const std::size_t at = code * bits + bit;
      bytes[at / 8] |= std::byte{1} << (at % 8);
    }
  }
  return bytes;
}

std::vector<std::uint32_t> decoded_codes(const ElementType& type) {
  const auto bytes = all_codes(type.bits);
  std::vector<float> values(std::size_t{1} << type.bits);
  type.decode(bytes, values);
  std::vector<std::uint32_t> bits;
  bits.reserve(values.size());
  for (const float value : values) bits.push_back(bits_of(value));
  return bits;
}

std::string digest_of(const std::vector<std::uint32_t>& bits) {
  return to_hex(sha256(std::as_bytes(std::span(bits))));
}

template <class Stored>
std::vector<float> decoded(std::string_view id, const std::vector<Stored>& stored) {
  std::vector<float> values(stored.size());
  find_element_type(id)->decode(std::as_bytes(std::span(stored)), values);
  return values;
}

}  // namespace

TEST_CASE("every dtype of the safetensors specification has a row with its width") {
  const std::vector<std::pair<std::string_view, unsigned>> expected = {
      {"BOOL", 8},        {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
      {"I8", 8},          {"U16", 16}, {"I16", 16},    {"U32", 32},    {"I32", 32},
      {"U64", 64},        {"I64", 64}, {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"F8_E4M3FNUZ", 8}, {"F16", 16}, {"BF16", 16},   {"F32", 32},    {"F64", 64},
      {"F8_E5M2FNUZ", 8}, {"C64", 64}};
  constexpr std::ptrdiff_t of_onnx = 2;  // U4 and I4
  CHECK(std::ranges::count(element_types(), 0U, &ElementType::block) ==
        static_cast<std::ptrdiff_t>(expected.size()) + of_onnx);
  for (const auto& [id, bits] : expected) {
    const ElementType* type = find_element_type(id);
    REQUIRE_MESSAGE(type != nullptr, std::string(id));
    CHECK(type->bits == bits);
    const bool decodes = type->decode != nullptr;
    CHECK(decodes == (id != "C64"));
  }
}

TEST_CASE("integers of four bits stand two in a byte, the first in the low half") {
  const std::array<std::byte, 2> stored = {std::byte{0x80}, std::byte{0xF7}};
  std::array<float, 4> values = {};
  find_element_type("I4")->decode(stored, values);
  CHECK(values == std::array<float, 4>{0, -8, 7, -1});
  find_element_type("U4")->decode(stored, values);
  CHECK(values == std::array<float, 4>{0, 8, 7, 15});
}

TEST_CASE("names of element types are unique and unknown ones are not found") {
  std::set<std::string_view> ids;
  for (const ElementType* type : element_types()) CHECK(ids.insert(type->id).second);
  for (const std::string_view id : {"", "bf16", "opaque", "F8", "F64 "}) {
    CHECK(find_element_type(id) == nullptr);
  }
  CHECK(opaque_type().kind == ElementType::Kind::opaque);
  CHECK_FALSE(static_cast<bool>(opaque_type().decode));
}

TEST_CASE("types of eight bits and fewer decode to the values of ml_dtypes") {
  for (const auto& [name, unused] : vectors().find("values")->members) {
    const ElementType* type = find_element_type(name);
    REQUIRE_MESSAGE(type != nullptr, name);
    CHECK_MESSAGE(decoded_codes(*type) == words_of("values", name), name);
  }
}

TEST_CASE("all codes of every recorded type decode to the recorded digest") {
  CHECK(vectors().find("digests")->members.size() == 10);
  for (const auto& [name, digest] : vectors().find("digests")->members) {
    CHECK_MESSAGE(digest_of(decoded_codes(*find_element_type(name))) == *digest.as_string(), name);
  }
}

TEST_CASE("well-known sixteen-bit values decode to what IEEE 754 says") {
  const std::vector<std::uint16_t> halves = {0x0000, 0x8000, 0x3C00, 0x0001, 0x03FF,
                                             0x0400, 0x7BFF, 0xFC00, 0x3555};
  const std::vector<float> expected = {
      0.0F,           -0.0F,    1.0F,     0x1p-24F,
      0x1.FF8p-15F,   0x1p-14F, 65504.0F, -std::numeric_limits<float>::infinity(),
      0.333251953125F};
  CHECK(decoded<std::uint16_t>("F16", halves) == expected);
  CHECK(std::signbit(decoded<std::uint16_t>("F16", halves)[1]));
  const std::vector<std::uint16_t> brains = {0x3F80, 0xC000, 0x0001, 0x7F7F, 0x7F80};
  CHECK(decoded<std::uint16_t>("BF16", brains) ==
        std::vector<float>{1.0F, -2.0F, 0x1p-133F, 0x1.FEp127F,
                           std::numeric_limits<float>::infinity()});
}

TEST_CASE("integers decode exactly, and round to nearest even beyond 24 bits") {
  CHECK(decoded<std::int8_t>("I8", {-128, -1, 127}) == std::vector<float>{-128, -1, 127});
  CHECK(decoded<std::uint8_t>("U8", {0, 200, 255}) == std::vector<float>{0, 200, 255});
  CHECK(decoded<std::int16_t>("I16", {-32768, 5}) == std::vector<float>{-32768, 5});
  CHECK(decoded<std::uint16_t>("U16", {65535}) == std::vector<float>{65535});
  CHECK(decoded<std::uint32_t>("U32", {16777217, 16777219}) ==
        std::vector<float>{16777216, 16777220});
  CHECK(decoded<std::int32_t>("I32", {-16777217, -16777219}) ==
        std::vector<float>{-16777216, -16777220});
  CHECK(decoded<std::uint64_t>("U64", {~std::uint64_t{0}}) == std::vector<float>{0x1p64F});
  CHECK(decoded<std::int64_t>("I64", {std::numeric_limits<std::int64_t>::min()}) ==
        std::vector<float>{-0x1p63F});
  CHECK(decoded<std::uint8_t>("BOOL", {0, 1}) == std::vector<float>{0, 1});
}

TEST_CASE("wide floats keep their bits or round to the nearest float") {
  CHECK(decoded<float>("F32", {0x1p-149F, -1.5F}) == std::vector<float>{0x1p-149F, -1.5F});
  CHECK(decoded<double>("F64", {0.1, 1e300}) ==
        std::vector<float>{0x1.99999ap-4F, std::numeric_limits<float>::infinity()});
}

TEST_CASE("decoding gives the same values at every count and alignment") {
  for (const ElementType* type : element_types()) {
    if (type->decode == nullptr || type->block != 0) continue;
    std::vector<std::byte> bytes(64 * 8 + 1);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
    const std::span<const std::byte> shifted = std::span(bytes).subspan(1);
    std::vector<float> whole(64);
    type->decode(shifted, whole);
    for (std::size_t count = 0; count < whole.size(); ++count) {
      std::vector<float> part(count);
      type->decode(shifted.first((count * type->bits + 7) / 8), part);
      bool same = true;
      for (std::size_t i = 0; i < count; ++i) same = same && bits_of(part[i]) == bits_of(whole[i]);
      CHECK_MESSAGE(same, std::string(type->id));
    }
  }
}

TEST_CASE("rounding into small types agrees with ml_dtypes, subnormals and ties included") {
  CHECK(vectors().find("rounding")->members.size() == 9);
  for (const auto& [name, unused] : vectors().find("rounding")->members) {
    const auto from = words_of("rounding", name, "from");
    std::vector<std::uint32_t> rounded;
    rounded.reserve(from.size());
    for (const std::uint32_t bits : from) {
      rounded.push_back(bits_of(rounded_to(*find_element_type(name), std::bit_cast<float>(bits))));
    }
    REQUIRE(from.size() > 50);
    CHECK_MESSAGE(rounded == words_of("rounding", name, "to"), name);
  }
}

TEST_CASE("rounding 65536 floats spread over all bit patterns into F16 and BF16 is exact") {
  for (const auto& [name, digest] : vectors().find("rounding_digests")->members) {
    std::vector<std::uint32_t> rounded;
    rounded.reserve(65536);
    for (std::uint32_t i = 0; i < 65536; ++i) {
      rounded.push_back(
          bits_of(rounded_to(*find_element_type(name), std::bit_cast<float>(i * 65537U))));
    }
    CHECK_MESSAGE(digest_of(rounded) == *digest.as_string(), name);
  }
}

TEST_CASE("values beyond a type's range round to infinity with their sign") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const auto into = [](std::string_view id, float value) {
    return rounded_to(*find_element_type(id), value);
  };
  CHECK(into("F16", 65519.0F) == 65504.0F);
  CHECK(into("F16", 65520.0F) == infinity);  // half way is even, which is infinity
  CHECK(into("F16", -1e30F) == -infinity);
  CHECK(into("BF16", std::numeric_limits<float>::max()) == infinity);
  CHECK(into("F8_E4M3", 464.0F) == 448.0F);
  CHECK(into("F8_E4M3", 465.0F) == infinity);
  CHECK(into("F4", -7.5F) == -infinity);
  CHECK(std::isnan(into("BF16", std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("rounding is idempotent and keeps every value a type can hold") {
  for (const ElementType* type : element_types()) {
    if (type->precision == 0 || type->bits > 16 || type->block != 0) continue;
    for (const std::uint32_t bits : decoded_codes(*type)) {
      const float value = std::bit_cast<float>(bits);
      if (bits_of(rounded_to(*type, value)) != bits) FAIL(std::string(type->id) << " " << value);
    }
  }
  for (const std::string_view id : {"F32", "F64"}) {
    CHECK(rounded_to(*find_element_type(id), 0x1.234566p-130F) == 0x1.234566p-130F);
  }
}

TEST_CASE("a negative value that vanishes keeps its sign where the type has one") {
  CHECK(std::signbit(rounded_to(*find_element_type("BF16"), -0x1p-149F)));
  CHECK_FALSE(std::signbit(rounded_to(*find_element_type("F8_E4M3FNUZ"), -0x1p-149F)));
}

}  // namespace pedigree
