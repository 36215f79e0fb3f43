#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/json.h"
#include "fingerprint/canonical_json.h"
#include "fingerprint/fingerprint.h"
#include "formats/formats.h"
#include "tests/support/safetensors_builder.h"
#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

Fingerprint sample_print(std::string_view type = "BF16") {
  auto model = made::llama_model(made::llama(11, 2, type));
  model->tokenizer = Tokenizer{.kind = "BPE", .spelling = "raw"};
  for (int i = 0; i < 64; ++i) model->tokenizer->tokens.push_back("t" + std::to_string(i));
  model->claims = {{.kind = Claim::Kind::base_model,
                    .key = "base_model",
                    .value = "a\"b\\\n\x1b"
                             "c",
                    .file = "README.md",
                    .line = 4}};
  model->architecture.renames = {{"ln1", "input_layernorm"}};
  auto print = make_fingerprint(*model, {.digests = true});
  REQUIRE(print.has_value());
  return std::move(*print);
}

Result<Fingerprint> read_back(const std::string& bytes) {
  return read_fingerprint(MemorySource("x.pedigree", std::string_view(bytes)));
}

// The JSON text of a container, and a container with another one.
std::string metadata_of(const std::string& bytes) {
  const auto file = read_weights(MemorySource("x", std::string_view(bytes)));
  REQUIRE(file.has_value());
  return file->metadata.at(0).second;
}

std::string with_metadata(const std::string& bytes, const std::string& text) {
  const MemorySource source("x", std::string_view(bytes));
  const auto file = read_weights(source);
  REQUIRE(file.has_value());
  SafetensorsBuilder builder;
  builder.metadata("pedigree-fingerprint", text);
  for (const TensorEntry& entry : file->tensors) {
    builder.tensor(entry.name, entry.type->id, entry.shape,
                   std::string_view(bytes).substr(entry.extent.begin, entry.extent.size()));
  }
  return builder.build();
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a fingerprint survives its container") {
  for (const std::string_view type : {"BF16", "F32"}) {
    const Fingerprint before = sample_print(type);
    const std::string bytes = to_bytes(before);
    const auto after = read_back(bytes);
    REQUIRE(after.has_value());
    CHECK(after->scheme == before.scheme);
    CHECK(after->architecture.rope_theta == before.architecture.rope_theta);
    CHECK(after->architecture.renames == before.architecture.renames);
    REQUIRE(after->claims.size() == 1);
    CHECK(after->claims[0].kind == Claim::Kind::base_model);
    CHECK(after->claims[0].value == before.claims[0].value);
    CHECK(after->claims[0].line == 4);
    REQUIRE(after->blocks.size() == before.blocks.size());
    for (std::size_t i = 0; i < before.blocks.size(); ++i) {
      CHECK(after->blocks[i].rows == before.blocks[i].rows);
      CHECK(after->blocks[i].cols == before.blocks[i].cols);
      CHECK(after->blocks[i].values == before.blocks[i].values);  // 13-bit numbers are exact
    }
    CHECK(after->gains[0].values == before.gains[0].values);
    CHECK(after->moments[3].deviation == before.moments[3].deviation);
    CHECK(after->tokenizer->smallest == before.tokenizer->smallest);
    CHECK(after->digests->named == before.digests->named);
    CHECK(after->digests->tensors[1].h3 == before.digests->tensors[1].h3);
    CHECK(to_bytes(*after) == bytes);
  }
}

TEST_CASE("responses survive to sixteen-bit precision") {
  const Fingerprint before = sample_print();
  const auto after = read_back(to_bytes(before));
  REQUIRE(after.has_value());
  REQUIRE(after->responses.size() == 4);
  for (std::size_t i = 0; i < before.responses.size(); ++i) {
    const std::size_t tokens = before.tokens.size();
    const auto& values = before.responses[i].values;
    for (std::size_t at = 0; at < values.size(); ++at) {
      const auto row = std::span(values).subspan(at / tokens * tokens, tokens);
      const float largest =
          std::fabs(*std::ranges::max_element(row, {}, [](float v) { return std::fabs(v); }));
      const float error = std::fabs(after->responses[i].values[at] - values[at]);
      REQUIRE(error <= std::max(std::fabs(values[at]) * 0x1p-11F, largest * 0x1p-25F));
    }
  }
}

TEST_CASE("steps are kept, and let go where there is no room") {
  Fingerprint print = sample_print();
  for (Block& block : print.blocks) block.steps.assign(block.values.size(), 0.125F);
  const auto kept = read_back(to_bytes(print));
  REQUIRE(kept.has_value());
  CHECK(kept->blocks.back().steps == print.blocks.back().steps);
  print.gains[0].values.assign(1'900'000, 1.0F);
  print.gains[0].full_size = 1'900'000;
  const auto full = read_back(to_bytes(print));
  REQUIRE(full.has_value());
  CHECK(full->blocks.back().steps.empty());
}

TEST_CASE("the container is recognised by its first bytes alone") {
  const std::string bytes = to_bytes(sample_print());
  CHECK(looks_like_fingerprint(MemorySource("x", std::string_view(bytes))));
  CHECK_FALSE(looks_like_fingerprint(MemorySource("x", std::string_view("too short"))));
  const std::string other = SafetensorsBuilder().f32("a", {1}, std::vector<float>{1}).build();
  CHECK_FALSE(looks_like_fingerprint(MemorySource("x", std::string_view(other))));
  const auto result = read_back(other);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().code == "fingerprint-malformed");
}

TEST_CASE("every truncation is a problem with the file's name") {
  const std::string bytes = to_bytes(sample_print());
  for (std::size_t size = 0; size < bytes.size(); size += size < 64 ? 1 : 9973) {
    const auto result = read_back(bytes.substr(0, size));
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == "fingerprint-malformed");
    CHECK(result.error().file == "x.pedigree");
  }
}

TEST_CASE("any flipped bit of the header ends in a value") {
  const std::string bytes = to_bytes(sample_print());
  made::Numbers numbers(12);
  for (int i = 0; i < 100; ++i) {
    std::string damaged = bytes;
    const auto at = static_cast<std::size_t>(numbers.word() % (bytes.size() / 4));
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (numbers.word() % 8)));
    const auto result = read_back(damaged);
    if (!result) CHECK(result.error().code == "fingerprint-malformed");
  }
}

TEST_CASE("a field that lies is refused") {
  const std::string bytes = to_bytes(sample_print());
  const std::string text = metadata_of(bytes);
  REQUIRE(read_back(with_metadata(bytes, text)).has_value());
  const std::pair<std::string_view, std::string_view> lies[] = {
      {"\"schema\":\"pedigree-fingerprint/1\"", "\"schema\":\"pedigree-fingerprint/9\""},
      {"\"detail\":0", "\"detail\":-1"},
      {"\"detail\":0", "\"detail\":\"0\""},
      {"\"scheme\":", "\"scheming\":"},
      {"\"expert\":-1", "\"expert\":-2"},
      {"\"expert\":-1", "\"expert\":0"},       // no such array
      {"\"cols\":", "\"cols\":9"},             // 9x: no such sample
      {"\"exponent\":1", "\"exponent\":1e1"},  // not a whole number
      {"\"exponent\":1", "\"exponent\":100000"},
      {"\"full_rows\":", "\"full_rows\":1,\"x\":"},    // indices beyond the axis
      {"\"role\":\"attn.k\"", "\"role\":\"attn.q\""},  // twice
      {"\"samples\":[[", "\"samples\":[[7,3],["},
      {"\"samples\":[", "\"samples\":[7,"},
      {"\"hashes\":[\"", "\"hashes\":[\"zz"},
      {"\"rows\":[", "\"rows\":[1,"},
      {"\"h2\":\"h2/1:sha256:", "\"h2\":\"h2/1:sha1:"},
      {"\"finite\":true", "\"finite\":1"},
      {"\"channels\":0", "\"channels\":18446744073709551615"},
      {"\"weight_bytes\":", "\"weight_bytes\":99999999999999999999"},
      {"{\"architecture\"", "{\"name\":\"twice\",\"architecture\""},
      {"{\"architecture\"", "{{\"architecture\""},
  };
  for (const auto& [from, to] : lies) {
    const auto result = read_back(with_metadata(bytes, replaced(text, from, to)));
    CAPTURE(to);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == "fingerprint-malformed");
    CHECK_FALSE(result.error().message.empty());
  }
}

TEST_CASE("an infinite value inside an array is refused") {
  const std::string bytes = to_bytes(sample_print());
  std::string damaged = bytes;
  damaged.replace(bytes.size() - 2, 2, std::string("\x00\x7C", 2));
  CHECK_FALSE(read_back(damaged).has_value());
}

TEST_CASE("long texts and long lists are cut, and stay valid UTF-8") {
  Fingerprint print = sample_print();
  print.name = std::string(511, 'n') + "\xC3\xA9";
  print.claims.assign(1000, {.key = "k", .value = "bad \xFF byte"});
  const auto after = read_back(to_bytes(print));
  REQUIRE(after.has_value());
  CHECK(after->name == std::string(511, 'n'));
  CHECK(after->claims.size() == 256);
  CHECK(after->claims[0].value == "bad %FF byte");
}

TEST_CASE("an empty fingerprint is a fingerprint") {
  const Fingerprint nothing = {.scheme = "pedigree-sample/1:none"};
  const auto after = read_back(to_bytes(nothing));
  REQUIRE(after.has_value());
  CHECK(after->blocks.empty());
  CHECK_FALSE(after->tokenizer.has_value());
}

TEST_CASE("canonical JSON has one spelling") {
  CanonicalJson json;
  json.begin_object();
  json.member("a", "q\"\\\b\f\n\r\t\x01\x7F\xC3\xA9");
  json.key("b");
  json.begin_array();
  json.value(1e-5);
  json.value(10000.0);
  json.value(-1);
  json.value(UINT64_MAX);
  json.value(true);
  json.end_array();
  json.end_object();
  CHECK(json.text() ==
        "{\"a\":\"q\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7F\xC3\xA9\","
        "\"b\":[1e-05,10000,-1,18446744073709551615,true]}");
}

TEST_CASE("couplings are written and read with the same bytes, whatever the threads") {
  const auto model = made::llama_model(made::llama(3, 4));
  model->architecture.layers = 4;
  model->architecture.hidden = 48;
  model->architecture.heads = 4;
  model->architecture.kv_heads = 2;
  model->architecture.positions = "rope";
  const auto first = make_fingerprint(*model, {.deep = true, .threads = 1});
  const auto second = make_fingerprint(*model, {.deep = true, .threads = 3});
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  const std::string bytes = to_bytes(*first);
  CHECK(bytes == to_bytes(*second));
  const auto read = read_fingerprint(MemorySource("made", bytes));
  REQUIRE(read.has_value());
  CHECK(keeps_couplings(*read));
  CHECK(to_bytes(*read) == bytes);
  const StoredCouplings found = read->couplings.value_or(StoredCouplings{});
  CHECK(found.layers.size() == 4);
  CHECK(found.pairs.size() == 6);
}

TEST_CASE("a deep part of the first kind gives answers and no couplings") {
  const auto model = made::llama_model(made::llama(3, 4));
  auto fingerprint = make_fingerprint(*model, {.deep = true});
  REQUIRE(fingerprint.has_value());
  fingerprint->couplings.reset();
  fingerprint->deep_scheme = "pedigree-deep/1:c256:t16:a512";
  const auto read = read_fingerprint(MemorySource("old", to_bytes(*fingerprint)));
  REQUIRE(read.has_value());
  CHECK(keeps_answers(*read));
  CHECK_FALSE(keeps_couplings(*read));
  fingerprint->deep_scheme = "pedigree-deep/1:c128:t16:a512";
  CHECK_FALSE(keeps_answers(*fingerprint));
}

TEST_CASE("products give way to wide and deep models, by fewer layers and neurons") {
  Architecture architecture;
  architecture.layers = 80;
  architecture.hidden = 8192;
  CHECK(coupled_layers(architecture) == std::vector<int>{0, 26, 52, 79});
  architecture.hidden = 1024;
  CHECK(coupled_layers(architecture) == std::vector<int>{0, 11, 22, 33, 45, 56, 67, 79});
  architecture.layers = 3;
  CHECK(coupled_layers(architecture) == std::vector<int>{0, 1, 2});
}

}  // namespace pedigree
