#include "fingerprint/sampling.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "model/token_bytes.h"
#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

SamplingScheme salted(const JsonValue& vector) {
  SamplingScheme scheme;
  scheme.salt = made::unhex(*vector.find("salt")->as_string());
  return scheme;
}

std::string text_of(const JsonValue& vector, std::string_view key) {
  return std::string(vector.find(key)->as_string().value());
}

// The spelling that docs/fingerprint.md derives from the tokens.
std::string spelling_of(const JsonValue& tokens) {
  const auto first = tokens.items.front().as_string().value();
  if (first.starts_with("\xC4\xA0")) return "byte-level";
  return first.starts_with("\xE2\x96\x81") ? "metaspace" : "raw";
}

}  // namespace

TEST_CASE("indices and tokens hash as the independent reader says") {
  const JsonValue vectors = made::vectors("sampling.json");
  CHECK(vectors.find("hashes")->items.size() == 40);
  for (const JsonValue& vector : vectors.find("hashes")->items) {
    const auto hash = sampling_hash(salted(vector), text_of(vector, "axis"),
                                    vector.find("index")->as_u64().value());
    CHECK(fmt::format("{:016x}", hash) == text_of(vector, "hash"));
  }
  CHECK(vectors.find("tokens")->items.size() == 8);
  for (const JsonValue& vector : vectors.find("tokens")->items) {
    const auto hash = token_hash(salted(vector), made::unhex(text_of(vector, "token")));
    CHECK(fmt::format("{:016x}", hash) == text_of(vector, "hash"));
  }
}

TEST_CASE("samples are those of the independent reader") {
  const JsonValue vectors = made::vectors("sampling.json");
  CHECK(vectors.find("samples")->items.size() == 12);
  for (const JsonValue& vector : vectors.find("samples")->items) {
    const auto indices = sampled_indices(salted(vector), text_of(vector, "axis"),
                                         vector.find("size")->as_u64().value(),
                                         vector.find("count")->as_u64().value());
    CHECK(indices == made::counts(*vector.find("indices")));
  }
}

TEST_CASE("the sample of a short axis holds all of a long axis' sample that fits") {
  const SamplingScheme scheme;
  const auto small = sampled_indices(scheme, "neuron", 8192, 64);
  const auto large = sampled_indices(scheme, "neuron", 14336, 64);
  std::size_t shared = 0;
  for (const std::uint64_t index : large) {
    if (index >= 8192) continue;
    CHECK(std::ranges::binary_search(small, index));
    ++shared;
  }
  CHECK(shared >= 20);
  CHECK(small.size() == 64);
}

TEST_CASE("a sample of fewer indices is a subset of one of more") {
  const auto more = sampled_indices({}, "hidden", 4096, 64);
  for (const std::uint64_t index : sampled_indices({}, "hidden", 4096, 32)) {
    CHECK(std::ranges::binary_search(more, index));
  }
  CHECK(sampled_indices({}, "hidden", 10, 64).size() == 10);
  CHECK(sampled_indices({}, "hidden", 10, 0).empty());
}

TEST_CASE("an endless axis does not cost an endless time") {
  const auto indices = sampled_indices({}, "neuron", UINT64_MAX, 4);
  REQUIRE(indices.size() == 4);
  CHECK(indices.back() < (std::uint64_t{1} << 20U));
}

TEST_CASE("the scheme id names every parameter and the salt's digest") {
  SamplingScheme scheme;
  CHECK(scheme.id() == "pedigree-sample/1:n64:h64:t256:r128:k1024:public");
  scheme.salt = "abc";  // SHA-256 of "abc" is the standard's own example
  CHECK(scheme.id() == "pedigree-sample/1:n64:h64:t256:r128:k1024:ba7816bf8f01cfea");
  CHECK(sampled_indices(scheme, "neuron", 1000, 8) != sampled_indices({}, "neuron", 1000, 8));
}

TEST_CASE("tokens become the bytes they stand for") {
  const JsonValue vectors = made::vectors("sampling.json");
  CHECK(vectors.find("token_bytes")->items.size() == 3);
  for (const JsonValue& vector : vectors.find("token_bytes")->items) {
    const JsonValue& tokens = *vector.find("tokens");
    const std::string spelling = spelling_of(tokens);
    for (std::size_t i = 0; i < tokens.items.size(); ++i) {
      CHECK(token_bytes(*tokens.items[i].as_string(), spelling) ==
            made::unhex(*vector.find("bytes")->items[i].as_string()));
    }
  }
}

TEST_CASE("the two alphabets agree on the same token") {
  CHECK(token_bytes("\xC4\xA0the", "byte-level") == token_bytes("\xE2\x96\x81the", "metaspace"));
  CHECK(token_bytes("\xC4\x8A", "byte-level") == token_bytes("<0x0A>", "metaspace"));
  CHECK(token_bytes("\xC4", "byte-level") == "\xC4");  // a cut character stays as it is
}

}  // namespace pedigree
