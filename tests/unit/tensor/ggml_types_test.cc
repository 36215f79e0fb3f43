#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/files.h"
#include "base/json.h"
#include "tensor/element_types.h"

namespace pedigree {
namespace {

// Recorded by scripts/make-ggml-tables from the official Python package.
const JsonValue& recorded() {
  static const JsonDocument document = [] {
    const auto text = read_small_file(PEDIGREE_FIXTURES "/vectors/ggml_types.json", "vectors");
    REQUIRE(text.has_value());
    auto parsed = parse_json(*text, "vectors");
    REQUIRE(parsed.has_value());
    return *std::move(parsed);
  }();
  return *document.root.find("types");
}

std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    bytes.push_back(static_cast<std::byte>(std::stoul(std::string(hex.substr(0, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string text_of(const JsonValue& vector, std::string_view key) {
  return std::string(vector.find(key)->as_string().value());
}

std::vector<std::uint32_t> decoded(const ElementType& type, const std::vector<std::byte>& stored) {
  std::vector<float> values(stored.size() / type.block_bytes * type.block);
  type.decode(stored, values);
  std::vector<std::uint32_t> bits;
  for (const float value : values) {
    bits.push_back(std::isnan(value) ? 0x7FC00000U : std::bit_cast<std::uint32_t>(value));
  }
  return bits;
}

std::string hex_of(const std::vector<std::uint32_t>& words) {
  std::string text;
  for (const std::uint32_t word : words) {
    for (int shift = 28; shift >= 0; shift -= 4) {
      text += "0123456789abcdef"[word >> static_cast<unsigned>(shift) & 0xFU];
    }
  }
  return text;
}

}  // namespace

TEST_CASE("blocks of every recorded ggml type decode to the official values, bit for bit") {
  CHECK(recorded().members.size() == 23);
  for (const auto& [name, vector] : recorded().members) {
    CAPTURE(name);
    const ElementType* type = find_element_type(name);
    REQUIRE(type != nullptr);
    CHECK(type->block == vector.find("elements")->as_u64());
    CHECK(type->block_bytes == vector.find("bytes")->as_u64());
    auto words = decoded(*type, bytes_of(text_of(vector, "stored")));
    CHECK(words.size() == 8 * std::size_t{type->block});
    CHECK(to_hex(sha256(std::as_bytes(std::span(words)))) == text_of(vector, "sha256"));
    words.resize(64);
    CHECK(hex_of(words) == text_of(vector, "first"));
  }
}

TEST_CASE("block types without an official decoder follow their layout") {
  std::vector<std::byte> block(292, std::byte{0});
  std::vector<float> out(256);
  block[1] = std::byte{0x3C};  // d = 1 in half precision
  block[2] = std::byte{0b1110'0100};
  find_element_type("Q2_0")->decode(std::span(block).first(18), std::span(out).first(64));
  CHECK(std::vector<float>(out.begin(), out.begin() + 5) == std::vector<float>{-1, 0, 1, 2, -1});
  find_element_type("Q1_0")->decode(std::span(block).first(18), std::span(out).first(128));
  CHECK(std::vector<float>(out.begin(), out.begin() + 4) == std::vector<float>{-1, -1, 1, -1});
  block[4] = std::byte{0xFF};
  find_element_type("Q8_1")->decode(std::span(block).first(36), std::span(out).first(32));
  CHECK(out[0] == -1);
  block[0] = block[1] = block[2] = std::byte{0};
  block[3] = std::byte{0x40};  // d = 2 in single precision
  find_element_type("Q8_K")->decode(block, out);
  CHECK(out[0] == -2);
}

TEST_CASE("bytes are counted in whole runs") {
  const ElementType& q4_k = *find_element_type("Q4_K");
  CHECK(q4_k.run() == 256);
  CHECK(q4_k.bytes_of(512) == 288);
  CHECK_FALSE(q4_k.bytes_of(255).has_value());
  CHECK_FALSE(find_element_type("F64")->bytes_of(std::uint64_t{1} << 61U).has_value());
  CHECK(find_element_type("F6_E2M3")->run() == 4);
  CHECK(find_element_type("F6_E2M3")->bytes_of(8) == 6);
  CHECK_FALSE(find_element_type("F6_E2M3")->bytes_of(2).has_value());
  CHECK(opaque_type().run() == 0);
  CHECK_FALSE(opaque_type().bytes_of(0).has_value());
}

}  // namespace pedigree
