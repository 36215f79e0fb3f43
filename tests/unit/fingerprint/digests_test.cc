#include "fingerprint/digests.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/digest.h"
#include "fingerprint/value_hash.h"
#include "tests/support/fault_source.h"
#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

const DigestOptions every_tier = {.h0 = true, .h1 = true, .h2 = true, .h3 = true};

ModelDigests digests_of(const Model& model, const DigestOptions& options = every_tier) {
  auto result = digest_model(model, options);
  REQUIRE(result.has_value());
  return std::move(*result);
}

const TensorDigest& find(const ModelDigests& digests, std::string_view name) {
  const auto found = std::ranges::find(digests.tensors, name, &TensorDigest::name);
  REQUIRE(found != digests.tensors.end());
  return *found;
}

made::Tensor floats(std::string name, std::vector<std::uint64_t> shape,
                    const std::vector<float>& values, std::string role = {}) {
  return {.name = std::move(name),
          .shape = std::move(shape),
          .bytes = made::f32_bytes(values),
          .role = std::move(role),
          .layer = 0};
}

bool informative(const made::Tensor& tensor) {
  return find(digests_of(*made::model({tensor}), {.h0 = false}), tensor.name).informative;
}

}  // namespace

TEST_CASE("tensors digest as the independent reader says") {
  const JsonValue vectors = made::vectors("digests.json");
  CHECK(vectors.find("tensors")->items.size() == 13);
  for (const JsonValue& vector : vectors.find("tensors")->items) {
    const made::Tensor tensor = {.name = "x",
                                 .type = std::string(*vector.find("dtype")->as_string()),
                                 .shape = made::counts(*vector.find("shape")),
                                 .bytes = made::unhex(*vector.find("bytes")->as_string())};
    CAPTURE(tensor.type);
    const ModelDigests digests = digests_of(*made::model({tensor}));
    CHECK(find(digests, "x").h1 == *vector.find("h1")->as_string());
    CHECK(find(digests, "x").h2 == *vector.find("h2")->as_string());
    CHECK(find(digests, "x").h3 == *vector.find("h3")->as_string());
  }
}

TEST_CASE("doubles round to BF16 once") {
  const JsonValue vectors = made::vectors("digests.json");
  CHECK(vectors.find("bf16")->items.size() == 14);
  for (const JsonValue& vector : vectors.find("bf16")->items) {
    const std::string bytes = made::unhex(*vector.find("double")->as_string());
    double value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    CAPTURE(value);
    CHECK(bf16_bits(value) == vector.find("bits")->as_u64());
  }
}

TEST_CASE("floats round to BF16 as the element type says, with one zero and one NaN") {
  made::Numbers numbers(1);
  const ElementType& type = *find_element_type("BF16");
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(numbers.word()));
    const auto bits = std::uint32_t{bf16_bits(value)} << 16U;
    if (std::isnan(value)) {
      REQUIRE(bits == 0x7FC00000U);
      continue;
    }
    const float rounded = rounded_to(type, value);
    REQUIRE(std::bit_cast<float>(bits) == rounded);
    if (rounded == 0) REQUIRE(bits == 0);
  }
}

TEST_CASE("H0 is the file's SHA-256 and H1 that of the stored bytes") {
  // FIPS 180-2's examples: "abc" and the empty string.
  const ModelDigests digests =
      digests_of(*made::model({{.name = "abc", .type = "U8", .shape = {3}, .bytes = "abc"},
                               {.name = "none", .type = "U8", .shape = {0}, .bytes = ""}}));
  CHECK(find(digests, "abc").h1 ==
        "h1/1:sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(find(digests, "none").h1 ==
        "h1/1:sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  REQUIRE(digests.files.size() == 1);
  CHECK(digests.files[0].sha256 == to_hex(sha256("eightbytabc")));
  CHECK(digests.files[0].size == 11);
}

TEST_CASE("digests do not depend on shards, order and threads") {
  auto tensors = made::llama(1);
  const auto whole = digests_of(*made::llama_model(tensors));
  std::ranges::reverse(tensors);
  for (const unsigned threads : {1U, 2U, 5U}) {
    DigestOptions options = every_tier;
    options.threads = threads;
    const auto split = digests_of(*made::llama_model(tensors, 4), options);
    CHECK(split.named == whole.named);
    CHECK(split.bag == whole.bag);
    REQUIRE(split.tensors.size() == whole.tensors.size());
    for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
      CHECK(split.tensors[i].h1 == whole.tensors[i].h1);
      CHECK(split.tensors[i].h3 == whole.tensors[i].h3);
    }
  }
}

TEST_CASE("a renamed copy keeps the bag; one without roles loses the named digest") {
  auto tensors = made::llama(2);
  const auto before = digests_of(*made::llama_model(tensors));
  for (auto& tensor : tensors) tensor.name = "t" + tensor.name;
  const auto renamed = digests_of(*made::llama_model(tensors));
  CHECK(renamed.named == before.named);  // roles, not names
  CHECK(renamed.bag == before.bag);
  for (auto& tensor : tensors) tensor.role.clear();
  const auto unknown = digests_of(*made::llama_model(tensors));
  CHECK(unknown.named != before.named);
  CHECK(unknown.bag == before.bag);
}

TEST_CASE("an F32 copy of BF16 values has the same H2 and H3 and another H1") {
  const auto bf16 = digests_of(*made::llama_model(made::llama(3, 1, "BF16")));
  auto copies = made::llama(3, 1, "BF16");
  for (auto& tensor : copies) {
    std::vector<float> values(tensor.bytes.size() / 2);
    find_element_type("BF16")->decode(std::as_bytes(std::span(tensor.bytes)), values);
    tensor.type = "F32";
    tensor.bytes = made::f32_bytes(values);
  }
  const auto f32 = digests_of(*made::llama_model(copies));
  CHECK(f32.named == bf16.named);
  CHECK(f32.tensors[0].h1 != bf16.tensors[0].h1);
  CHECK(f32.tensors[0].h3 == bf16.tensors[0].h3);
  const auto full = digests_of(*made::llama_model(made::llama(3, 1, "F32")));
  CHECK(full.named != bf16.named);
  CHECK(find(full, "1.ffn.up").h3 == find(bf16, "1.ffn.up").h3);
}

TEST_CASE("transposed and fused tensors digest as if they were stored apart") {
  made::Numbers numbers(4);
  const auto q = numbers.take(6);
  const auto k = numbers.take(6);
  const auto plain = digests_of(
      *made::model({floats("q", {2, 3}, q, "attn.q"), floats("k", {2, 3}, k, "attn.k")}));

  std::vector<float> joined = q;
  joined.insert(joined.end(), k.begin(), k.end());
  auto fused = made::model({floats("qk", {4, 3}, joined)});
  CanonicalTensor part = {
      .role = "attn.q", .layer = 0, .rows = 2, .cols = 3, .transforms = {"split-concat"}};
  fused->canonical.push_back(part);
  part.role = "attn.k";
  part.first_row = 2;
  fused->canonical.push_back(part);
  const auto split = digests_of(*fused);
  CHECK(find(split, "qk").fused);
  CHECK(find(split, "qk").h2.empty());
  CHECK(find(split, "qk#attn.k").h2 == find(plain, "k").h2);
  CHECK(find(split, "qk#attn.q").h3 == find(plain, "q").h3);
  CHECK(split.named == plain.named);
  CHECK(split.bag == plain.bag);

  std::vector<float> turned(joined.size());  // stored as [in, out] = [3, 4]
  for (std::size_t row = 0; row < 4; ++row) {
    for (std::size_t col = 0; col < 3; ++col) turned[col * 4 + row] = joined[row * 3 + col];
  }
  auto transposed = made::model({floats("qk", {3, 4}, turned)});
  transposed->canonical = fused->canonical;
  for (CanonicalTensor& one : transposed->canonical) one.transposed = true;
  CHECK(digests_of(*transposed).named == plain.named);
}

TEST_CASE("tensors over many chunks digest like small ones") {
  made::Numbers numbers(5);
  std::string bytes;
  while (bytes.size() < 3'000'001) bytes += std::to_string(numbers.word());
  bytes.resize(3'000'001);
  const auto digests = digests_of(
      *made::model({{.name = "a", .type = "U8", .shape = {3}, .bytes = "odd"},
                    {.name = "b", .type = "U8", .shape = {bytes.size()}, .bytes = bytes}}));
  CHECK(find(digests, "b").h1 == digest_string("h1/1", sha256(bytes)));
  ValueHash hash(*find_element_type("U8"), std::vector<std::uint64_t>{bytes.size()}, true, false);
  for (const char& byte : bytes) hash.feed(std::as_bytes(std::span(&byte, 1)));
  hash.finish();
  CHECK(find(digests, "b").h2 == hash.h2());
}

TEST_CASE("each byte is read once whatever the tiers") {
  const auto tensors = made::llama(6);
  const auto model = made::llama_model(tensors, 5);
  std::uint64_t size = 0;
  for (const auto& shard : model->shards) size += shard->size();
  digests_of(*model, {.h0 = true, .h1 = false});
  CHECK(model->bytes_read() == size);
  digests_of(*model);
  CHECK(model->bytes_read() == 2 * size);
}

TEST_CASE("tensors that share bytes are each digested whole") {
  made::Numbers numbers(7);
  const auto values = numbers.take(64);
  auto model = made::model({floats("a", {64}, values), floats("b", {64}, values)});
  model->tensors[1].entry.extent = model->tensors[0].entry.extent;
  const auto digests = digests_of(*model);
  CHECK(find(digests, "a").h1 == find(digests, "b").h1);
  CHECK(find(digests, "b").h1 == digest_string("h1/1", sha256(made::f32_bytes(values))));
  CHECK(find(digests, "a").h2 == find(digests, "b").h2);
}

TEST_CASE("types without values are digested as bytes only") {
  const auto digests =
      digests_of(*made::model({{.name = "c", .type = "C64", .shape = {1}, .bytes = "12345678"}}));
  CHECK_FALSE(find(digests, "c").h1.empty());
  CHECK(find(digests, "c").h2.empty());
  CHECK(digests.named.starts_with("named-h2/1:sha256:"));
}

TEST_CASE("tiers that were not asked for are absent") {
  const auto digests = digests_of(*made::llama_model(made::llama(8)), {});
  CHECK(digests.named.starts_with("named-h1/1:sha256:"));
  CHECK(digests.tensors[0].h2.empty());
  const auto only_files = digests_of(*made::llama_model(made::llama(8)), {.h0 = true, .h1 = false});
  CHECK(only_files.named.empty());
  CHECK(only_files.files.size() == 1);
}

TEST_CASE("what carries no information is said to carry none") {
  made::Numbers numbers(9);
  std::vector<float> frequencies;
  std::vector<float> ramp;
  std::vector<float> bell = numbers.take(64);
  for (int i = 0; i < 64; ++i) {
    frequencies.push_back(static_cast<float>(std::pow(10000.0, -i / 64.0)));
    ramp.push_back(static_cast<float>(i));
  }
  std::vector<float> sinusoids;
  for (int position = 0; position < 8; ++position) {
    for (int i = 0; i < 8; ++i) {
      const double angle = position * std::pow(10000.0, -(i / 2) / 4.0);
      sinusoids.push_back(static_cast<float>(i % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
  }
  CHECK(informative(floats("w", {8, 8}, bell)));
  CHECK(informative(floats("b", {64}, bell)));
  CHECK_FALSE(informative(floats("f", {64}, frequencies)));
  CHECK_FALSE(informative(floats("r", {64}, ramp)));
  CHECK_FALSE(informative(floats("s", {8, 8}, sinusoids)));
  for (const bool cosine : {true, false}) {
    std::vector<float> rotary;
    for (int position = 0; position < 8; ++position) {
      for (int i = 0; i < 8; ++i) {
        const double angle = position * std::pow(10000.0, -i / 8.0);
        rotary.push_back(static_cast<float>(cosine ? std::cos(angle) : std::sin(angle)));
      }
    }
    CHECK_FALSE(informative(floats("c", {8, 8}, rotary)));
    CHECK_FALSE(informative(floats("c", {1, 1, 8, 8}, rotary)));
    rotary[30] += 0.1F;
    CHECK(informative(floats("c", {8, 8}, rotary)));
  }
  // An embedding with an empty row in front is none, however small its values.
  std::vector<float> padded(64);
  for (std::size_t i = 8; i < 64; ++i) padded[i] = 0.001F * bell[i];
  CHECK(informative(floats("e", {8, 8}, padded)));
  CHECK_FALSE(informative(floats("ones", {64}, std::vector<float>(64, 1.0F))));
  CHECK_FALSE(informative(floats("x.inv_freq", {64}, bell)));
  CHECK_FALSE(informative(
      {.name = "mask", .type = "BOOL", .shape = {4}, .bytes = std::string("\0\1\1\0", 4)}));
  CHECK_FALSE(informative(floats("few", {16}, numbers.take(16))));
}

TEST_CASE("frequencies rounded to sixteen bits are still a table") {
  std::vector<float> frequencies;
  for (int i = 0; i < 64; ++i) {
    frequencies.push_back(static_cast<float>(std::pow(10000.0, -i / 64.0)));
  }
  CHECK_FALSE(informative(
      {.name = "t", .type = "F16", .shape = {64}, .bytes = made::f16_bytes(frequencies)}));
}

TEST_CASE("a failing or changing file is a problem") {
  const auto model = made::llama_model(made::llama(10, 1));
  std::string bytes(model->shards[0]->size(), '\0');
  REQUIRE_FALSE(model->shards[0]->read_at(0, std::as_writable_bytes(std::span(bytes))));
  const MemorySource inner("shard0", std::string_view(bytes));
  const std::pair<FaultSource::Fault, std::string_view> faults[] = {
      {FaultSource::Fault::fails, "io-error"},
      {FaultSource::Fault::shortens, "io-short-read"},
      {FaultSource::Fault::changes, "file-changed-while-reading"}};
  for (const auto& [fault, code] : faults) {
    model->shards[0] = std::make_unique<FaultSource>(inner, 0, fault);
    const auto result = digest_model(*model, {});
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == code);
  }
}

}  // namespace pedigree
