#include "tests/unit/fingerprint/made_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/files.h"
#include "fingerprint/half.h"
#include "fingerprint/value_hash.h"

namespace pedigree::made {

namespace {

CanonicalTensor canonical(const Tensor& tensor, std::size_t index) {
  return {.role = tensor.role,
          .layer = tensor.layer,
          .expert = tensor.expert,
          .rows = tensor.shape.empty() ? 1 : tensor.shape[0],
          .cols = tensor.shape.size() < 2 ? 1 : tensor.shape[1],
          .tensor = index};
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

}  // namespace

std::unique_ptr<Model> model(const std::vector<Tensor>& tensors, std::size_t per_shard) {
  auto result = std::make_unique<Model>();
  result->name = "made";
  result->formats = {"safetensors"};
  std::string data = "eightbyt";  // what a header would take
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& tensor = tensors[i];
    StoredTensor stored = {.entry = {.name = tensor.name,
                                     .type = find_element_type(tensor.type),
                                     .type_name = tensor.type,
                                     .shape = tensor.shape},
                           .shard = result->shards.size()};
    stored.entry.extent = {.begin = data.size(), .end = data.size() + tensor.bytes.size()};
    data += tensor.bytes;
    result->weight_bytes += tensor.bytes.size();
    result->tensors.push_back(std::move(stored));
    if ((i + 1) % per_shard == 0 || i + 1 == tensors.size()) {
      result->shards.push_back(std::make_unique<MemorySource>(
          "shard" + std::to_string(result->shards.size()), std::string_view(data)));
      data = "eightbyt";
    }
  }
  std::ranges::sort(result->tensors, {}, [](const StoredTensor& one) { return one.entry.name; });
  for (std::size_t i = 0; i < result->tensors.size(); ++i) {
    const auto tensor = std::ranges::find(tensors, result->tensors[i].entry.name, &Tensor::name);
    if (!tensor->role.empty()) result->canonical.push_back(canonical(*tensor, i));
  }
  std::ranges::sort(result->canonical, {}, [](const CanonicalTensor& one) {
    return std::tuple(one.layer, one.role, one.expert);
  });
  return result;
}

std::uint64_t Numbers::word() {
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

float Numbers::next() {
  return static_cast<float>(static_cast<std::int32_t>(word() & 0x1FFFU) - 0x1000) / 4096.0F;
}

std::vector<float> Numbers::take(std::size_t count, float scale) {
  std::vector<float> values(count);
  std::ranges::generate(values, [&] { return next() * scale; });
  return values;
}

std::string f32_bytes(std::span<const float> values) {
  return bytes_of(std::vector<float>(values.begin(), values.end()));
}

std::string bf16_bytes(std::span<const float> values) {
  std::vector<std::uint16_t> halves;
  for (const float value : values) halves.push_back(bf16_bits(value));
  return bytes_of(halves);
}

std::string f16_bytes(std::span<const float> values) {
  std::vector<std::uint16_t> halves;
  for (const float value : values) halves.push_back(half_bits(value));
  return bytes_of(halves);
}

std::vector<Tensor> llama(std::uint64_t seed, int layers, std::string_view type) {
  Numbers numbers(seed);
  std::vector<Tensor> tensors;
  const auto add = [&](std::string role, int layer, std::vector<std::uint64_t> shape) {
    std::size_t count = 1;
    for (const std::uint64_t size : shape) count *= size;
    std::vector<float> values = numbers.take(count, shape.size() == 1 ? 0.25F : 0.125F);
    if (shape.size() == 1) {
      for (float& value : values) value += 1;
    }
    tensors.push_back({.name = std::to_string(layer + 1) + "." + role,
                       .type = std::string(type),
                       .shape = std::move(shape),
                       .bytes = type == "BF16" ? bf16_bytes(values) : f32_bytes(values),
                       .role = std::move(role),
                       .layer = layer});
  };
  add("embed.tokens", -1, {64, 48});
  for (int layer = 0; layer < layers; ++layer) {
    add("attn.q", layer, {48, 48});
    add("attn.k", layer, {24, 48});
    add("attn.v", layer, {24, 48});
    add("attn.o", layer, {48, 48});
    add("ffn.gate", layer, {96, 48});
    add("ffn.up", layer, {96, 48});
    add("ffn.down", layer, {48, 96});
    add("attn.norm", layer, {48});
    add("ffn.norm", layer, {48});
  }
  add("head.norm", -1, {48});
  add("head.out", -1, {64, 48});
  return tensors;
}

std::unique_ptr<Model> llama_model(const std::vector<Tensor>& tensors, std::size_t per_shard) {
  auto result = model(tensors, per_shard);
  Architecture& it = result->architecture;
  it.family = "llama";
  it.structure = "decoder/rmsnorm-pre/rope/gated-silu";
  it.explained = 1;
  it.norm = "rmsnorm";
  it.gated_mlp = true;
  it.hidden = 48;
  it.heads = 4;
  it.kv_heads = 2;
  it.head_dim = 12;
  it.ffn = 96;
  it.vocab = 64;
  it.rope_theta = 10000;
  it.norm_eps = 1e-5;
  return result;
}

JsonValue vectors(std::string_view file) {
  const std::string path = std::string(PEDIGREE_FIXTURES "/vectors/fingerprint/").append(file);
  const auto text = read_small_file(path, std::string(file));
  REQUIRE(text.has_value());
  auto document = parse_json(*text, file);
  REQUIRE(document.has_value());
  return std::move(document->root);
}

std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::vector<std::uint64_t> counts(const JsonValue& list) {
  std::vector<std::uint64_t> numbers;
  for (const JsonValue& item : list.items) numbers.push_back(item.as_u64().value());
  return numbers;
}

}  // namespace pedigree::made

namespace pedigree {

TEST_CASE("a made model holds what was put in") {
  const auto tensors = made::llama(1, 1);
  const auto model = made::llama_model(tensors, 4);
  CHECK(model->shards.size() == 3);
  CHECK(model->tensors.size() == tensors.size());
  REQUIRE(model->find("ffn.down", 0) != nullptr);
  CHECK(model->find("ffn.down", 0)->cols == 96);
}

}  // namespace pedigree
