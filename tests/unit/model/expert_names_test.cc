// Stacks of experts under each other's names, as Ollama's converter of Mixtral writes them.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/weights.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

std::string filled(std::size_t count, float value) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    std::string one(sizeof value, '\0');
    std::memcpy(one.data(), &value, sizeof value);
    bytes += one;
  }
  return bytes;
}

// Two experts of `ffn` neurons in a model of width 8; gates hold ones.
GgufBuilder experts(std::uint64_t ffn) {
  GgufBuilder builder;
  builder.text("general.architecture", "llama")
      .u32("llama.block_count", 1)
      .u32("llama.embedding_length", 8)
      .u32("llama.attention.head_count", 2)
      .u32("llama.attention.head_count_kv", 2)
      .u32("llama.expert_count", 2)
      .tensor("token_embd.weight", 0, {10, 8}, filled(80, 0.5F))
      .tensor("output_norm.weight", 0, {8}, filled(8, 1))
      .tensor("output.weight", 0, {10, 8}, filled(80, 0.5F))
      .tensor("blk.0.attn_norm.weight", 0, {8}, filled(8, 1))
      .tensor("blk.0.ffn_norm.weight", 0, {8}, filled(8, 1))
      .tensor("blk.0.ffn_gate_inp.weight", 0, {2, 8}, filled(16, 1))
      .tensor("blk.0.ffn_gate_exps.weight", 0, {2, ffn, 8}, filled(2 * ffn * 8, 1));
  for (const std::string_view name : {"q", "k", "v", "output"}) {
    builder.tensor("blk.0.attn_" + std::string(name) + ".weight", 0, {8, 8}, filled(64, 1));
  }
  return builder;
}

std::unique_ptr<Model> opened(const GgufBuilder& builder) {
  ModelDirectory directory;
  directory.write("model.gguf", builder.build());
  auto model = open_model(directory.path("model.gguf"));
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return *std::move(model);
}

float value_of(const Model& model, std::string_view role) {
  const CanonicalTensor* tensor = model.find(role, 0, 1);
  REQUIRE(tensor != nullptr);
  return read_all(model, *tensor).value().front();
}

TEST_CASE("experts' up and down that the gate's shape contradicts change places") {
  GgufBuilder builder = experts(12);
  builder.tensor("blk.0.ffn_up_exps.weight", 0, {2, 8, 12}, filled(192, 2))
      .tensor("blk.0.ffn_down_exps.weight", 0, {2, 12, 8}, filled(192, 3));
  const auto model = opened(builder);
  CHECK(model->architecture.explained == 1);
  CHECK(value_of(*model, "moe.down") == 2);
  CHECK(value_of(*model, "moe.up") == 3);
  const CanonicalTensor& up = *model->find("moe.up", 0, 0);
  CHECK((up.rows == 12 && up.cols == 8));
  CHECK(up.transforms == std::vector<std::string>{"swap-up-down", "stack-experts"});
}

TEST_CASE("experts that go by their own names keep them, and so do those as wide as the model") {
  GgufBuilder right = experts(12);
  right.tensor("blk.0.ffn_up_exps.weight", 0, {2, 12, 8}, filled(192, 2))
      .tensor("blk.0.ffn_down_exps.weight", 0, {2, 8, 12}, filled(192, 3));
  CHECK(value_of(*opened(right), "moe.up") == 2);
  GgufBuilder square = experts(8);
  square.tensor("blk.0.ffn_up_exps.weight", 0, {2, 8, 8}, filled(128, 2))
      .tensor("blk.0.ffn_down_exps.weight", 0, {2, 8, 8}, filled(128, 3));
  const auto model = opened(square);
  CHECK(value_of(*model, "moe.up") == 2);
  CHECK(model->find("moe.up", 0, 0)->transforms == std::vector<std::string>{"stack-experts"});
}

}  // namespace
}  // namespace pedigree
