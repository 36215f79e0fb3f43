// The matrix that makes keys and values of compressed ones, in every form GGUF files have it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/weights.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

constexpr std::uint32_t f32 = 0;
using Floats = std::vector<float>;
using Shape = std::vector<std::uint64_t>;

// Value i of a tensor is first + i.
std::string numbered(std::size_t count, float first) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const float value = first + static_cast<float>(i);
    std::string one(sizeof value, '\0');
    std::memcpy(one.data(), &value, sizeof value);
    bytes += one;
  }
  return bytes;
}

// Two heads with keys of 3, values of 2, rank 4.
GgufBuilder decoder(std::uint32_t key_heads) {
  GgufBuilder builder;
  builder.text("general.architecture", "deepseek2")
      .u32("deepseek2.block_count", 1)
      .u32("deepseek2.embedding_length", 8)
      .u32("deepseek2.feed_forward_length", 12)
      .u32("deepseek2.attention.head_count", 2)
      .u32("deepseek2.attention.head_count_kv", key_heads)
      .tensor("token_embd.weight", f32, {10, 8}, numbered(80, 0))
      .tensor("output_norm.weight", f32, {8}, numbered(8, 1))
      .tensor("blk.0.attn_norm.weight", f32, {8}, numbered(8, 2))
      .tensor("blk.0.attn_q.weight", f32, {10, 8}, numbered(80, 0))
      .tensor("blk.0.attn_kv_a_mqa.weight", f32, {6, 8}, numbered(48, 0))
      .tensor("blk.0.attn_kv_a_norm.weight", f32, {4}, numbered(4, 0))
      .tensor("blk.0.attn_output.weight", f32, {8, 4}, numbered(32, 0))
      .tensor("blk.0.ffn_norm.weight", f32, {8}, numbered(8, 3))
      .tensor("blk.0.ffn_gate.weight", f32, {12, 8}, numbered(96, 0))
      .tensor("blk.0.ffn_up.weight", f32, {12, 8}, numbered(96, 1000))
      .tensor("blk.0.ffn_down.weight", f32, {8, 12}, numbered(96, 2000));
  return builder;
}

std::unique_ptr<Model> opened(const GgufBuilder& builder) {
  ModelDirectory directory;
  directory.write("model.gguf", builder.build());
  auto model = open_model(directory.path("model.gguf"));
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return *std::move(model);
}

Floats values_of(const Model& model, std::string_view role) {
  const CanonicalTensor* tensor = model.find(role, 0);
  REQUIRE(tensor != nullptr);
  return read_all(model, *tensor).value();
}

// Row r of the fused matrix is 4r … 4r + 3; of each head three rows of keys, then two of values.
const Floats keys = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                     20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
const Floats values = {12, 13, 14, 15, 16, 17, 18, 19, 32, 33, 34, 35, 36, 37, 38, 39};

TEST_CASE("fused keys and values take turns by head") {
  GgufBuilder fused = decoder(2);
  fused.tensor("blk.0.attn_kv_b.weight", f32, {10, 4}, numbered(40, 0));
  const auto model = opened(fused);
  CHECK(model->architecture.family == "deepseek_v2");
  CHECK(values_of(*model, "attn.k_b") == keys);
  CHECK(values_of(*model, "attn.v_b") == values);
}

TEST_CASE("keys that are a turned matrix of each head read as they do fused") {
  std::string turned;
  for (std::size_t head = 0; head < 2; ++head) {
    for (std::size_t in = 0; in < 4; ++in) {
      for (std::size_t out = 0; out < 3; ++out) {
        turned += numbered(1, keys[head * 12 + out * 4 + in]);
      }
    }
  }
  const std::string of_values = numbered(8, 12) + numbered(8, 32);
  for (const bool flat : {false, true}) {  // as llama.cpp writes heads, and as forks of it do
    CAPTURE(flat);
    GgufBuilder apart = decoder(1);
    apart.tensor("blk.0.attn_k_b.weight", f32, flat ? Shape{8, 3} : Shape{2, 4, 3}, turned)
        .tensor("blk.0.attn_v_b.weight", f32, flat ? Shape{4, 4} : Shape{2, 2, 4}, of_values);
    const auto model = opened(apart);
    CHECK(model->architecture.family == "deepseek_v2");
    CHECK(model->architecture.heads == 2);
    CHECK(values_of(*model, "attn.k_b") == keys);
    CHECK(values_of(*model, "attn.v_b") == values);
    CHECK(model->find("attn.k_b", 0)->transforms == std::vector<std::string>{"split-mla-kv"});
    CHECK(model->find("attn.v_b", 0)->transforms.empty());
  }
}

TEST_CASE("of keys that a fork writes twice the fused ones count") {
  GgufBuilder both = decoder(2);
  both.tensor("blk.0.attn_k_b.weight", f32, {8, 3}, numbered(24, 500))
      .tensor("blk.0.attn_kv_b.weight", f32, {10, 4}, numbered(40, 0))
      .tensor("blk.0.attn_v_b.weight", f32, {4, 4}, numbered(16, 700));
  const auto model = opened(both);
  CHECK(values_of(*model, "attn.k_b") == keys);
  CHECK(values_of(*model, "attn.v_b") == values);
  CHECK(std::ranges::count(model->canonical, "attn.k_b", &CanonicalTensor::role) == 1);
}

TEST_CASE("heads that no rank divides have no role") {
  GgufBuilder odd = decoder(1);
  odd.tensor("blk.0.attn_k_b.weight", f32, {7, 3}, numbered(21, 0))
      .tensor("blk.0.attn_v_b.weight", f32, {4, 4}, numbered(16, 0));
  const auto model = opened(odd);
  CHECK(model->find("attn.k_b", 0) == nullptr);
  CHECK(values_of(*model, "attn.v_b").size() == 16);
}

}  // namespace
}  // namespace pedigree
