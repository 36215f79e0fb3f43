// Held against llama.cpp's own quantiser and decoder, recorded by scripts/make-llama-vectors.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "tensor/block_steps.h"
#include "tensor/element_types.h"
#include "tensor/requantise.h"

namespace pedigree {
namespace {

const JsonValue& recorded() {
  static const JsonDocument document = [] {
    const auto text = read_small_file(PEDIGREE_FIXTURES "/vectors/llama_cpp.json", "vectors");
    REQUIRE(text.has_value());
    auto parsed = parse_json(*text, "vectors");
    REQUIRE(parsed.has_value());
    return *std::move(parsed);
  }();
  return document.root;
}

std::uint32_t word_at(std::string_view hex, std::size_t at, std::size_t digits) {
  return static_cast<std::uint32_t>(std::stoul(std::string(hex.substr(at, digits)), nullptr, 16));
}

std::vector<float> floats_of(std::string_view hex) {
  std::vector<float> values;
  for (std::size_t i = 0; i < hex.size(); i += 8) {
    values.push_back(std::bit_cast<float>(word_at(hex, i, 8)));
  }
  return values;
}

std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(word_at(hex, i, 2)));
  }
  return bytes;
}

}  // namespace

TEST_CASE("what llama.cpp's quantiser writes decodes to what its decoder says") {
  const JsonValue& types = *recorded().find("types");
  CHECK(types.members.size() == 22);
  for (const auto& [name, vector] : types.members) {
    CAPTURE(name);
    const ElementType* type = find_element_type(name);
    REQUIRE(type != nullptr);
    const auto stored = bytes_of(vector.find("stored")->as_string().value());
    std::vector<float> values(stored.size() / type->block_bytes * type->block);
    type->decode(stored, values);
    const auto wanted = floats_of(vector.find("decoded")->as_string().value());
    CHECK(values.size() == 512);
    CHECK(values == wanted);
  }
}

TEST_CASE("the deterministic types give llama.cpp's codes again") {
  const auto values = floats_of(recorded().find("values")->as_string().value());
  for (const std::string_view name : {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"}) {
    CAPTURE(name);
    const Requantise requantise = requantiser_of(*find_element_type(name));
    REQUIRE(bool(requantise));
    std::vector<float> made(values.size());
    requantise(values, Products::rounded, made);
    const JsonValue* vector = recorded().find("types")->find(name);
    CHECK(made == floats_of(vector->find("decoded")->as_string().value()));
  }
}

TEST_CASE("what was quantised lies within half a step of what is stored") {
  const auto given = floats_of(recorded().find("values")->as_string().value());
  std::size_t types = 0;
  for (const auto& [name, vector] : recorded().find("types")->members) {
    CAPTURE(name);
    const ElementType* type = find_element_type(name);
    REQUIRE(type != nullptr);
    if (!has_block_steps(*type)) {
      CHECK(usual_error(*type) > 0);
      continue;
    }
    ++types;
    CHECK(usual_error(*type) == 0);
    std::vector<float> steps(given.size());
    block_steps(*type, bytes_of(vector.find("stored")->as_string().value()), steps);
    const auto stored = floats_of(vector.find("decoded")->as_string().value());
    std::size_t outside = 0;
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (steps[i] > 0 && std::fabs(given[i] - stored[i]) > steps[i] / 2) ++outside;
    }
    // Searches for scales may leave single far values farther out.
    CHECK(outside <= 2);
  }
  CHECK(types == 15);
}

TEST_CASE("steps are those of the codes beside a value, twice over at the ends") {
  // Q4_0 with d = 1: codes 0, 8 and 15 are worth −8, 0 and 7.
  std::vector<std::byte> block(18, std::byte{0x88});
  block[0] = std::byte{0x00};
  block[1] = std::byte{0x3C};
  block[2] = std::byte{0xF0};
  std::vector<float> steps(32);
  block_steps(*find_element_type("Q4_0"), block, steps);
  CHECK(steps[0] == doctest::Approx(2 + 8.0 / 1024));
  CHECK(steps[1] == 1);
  CHECK(steps[16] == doctest::Approx(2 + 7.0 / 1024));
}

TEST_CASE("types whose quantisers search for scales are not made again") {
  for (const std::string_view name : {"Q4_K", "Q6_K", "IQ4_NL", "F16"}) {
    CHECK_FALSE(bool(requantiser_of(*find_element_type(name))));
  }
}

TEST_CASE("a code on the edge falls one way when products are fused and the other when not") {
  // 1 / 7 rounds so that 7 × (1 / 7) + ½ differs: looked for among small quotients.
  std::vector<float> values(32, 0);
  std::vector<float> rounded(32);
  std::vector<float> fused(32);
  bool seen = false;
  const Requantise q4_0 = requantiser_of(*find_element_type("Q4_0"));
  for (int i = 1; i < 4000 && !seen; ++i) {
    values[0] = -0.001F * static_cast<float>(i);
    for (std::size_t j = 1; j < 16; ++j) {
      values[j] = values[0] / -8 * (static_cast<float>(j) - 8.5F);
    }
    q4_0(values, Products::rounded, rounded);
    q4_0(values, Products::fused, fused);
    seen = rounded != fused;
  }
  CHECK(seen);
}

}  // namespace pedigree
