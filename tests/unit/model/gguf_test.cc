// A GGUF file as a model: names, transforms, facts, claims and vocabulary.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "model/fit_order.h"
#include "model/gguf_header.h"
#include "model/gguf_split.h"
#include "model/model.h"
#include "model/weights.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

constexpr std::uint32_t f32 = 0;

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

GgufBuilder described(std::string_view architecture) {
  const std::string prefix = std::string(architecture) + ".";
  GgufBuilder builder;
  builder.text("general.architecture", architecture)
      .text("general.name", "tiny")
      .u32("general.base_model.count", 1)
      .text("general.base_model.0.name", "Big")
      .text("general.base_model.0.repo_url", "https://huggingface.co/org/big")
      .text("general.license", "mit")
      .u32(prefix + "block_count", 1)
      .u32(prefix + "embedding_length", 8)
      .u32(prefix + "feed_forward_length", 12)
      .u32(prefix + "attention.head_count", 2)
      .u32(prefix + "attention.head_count_kv", 1)
      .f32(prefix + "attention.layer_norm_rms_epsilon", 0.5F)
      .f32(prefix + "rope.freq_base", 500000)
      .u32(prefix + "context_length", 64);
  return builder;
}

void add_attention(GgufBuilder& builder) {
  builder.tensor("token_embd.weight", f32, {10, 8}, numbered(80, 0))
      .tensor("output_norm.weight", f32, {8}, numbered(8, 1))
      .tensor("blk.0.attn_norm.weight", f32, {8}, numbered(8, 2))
      .tensor("blk.0.attn_q.weight", f32, {8, 8}, numbered(64, 0))
      .tensor("blk.0.attn_k.weight", f32, {4, 8}, numbered(32, 0))
      .tensor("blk.0.attn_v.weight", f32, {4, 8}, numbered(32, 0))
      .tensor("blk.0.attn_output.weight", f32, {8, 8}, numbered(64, 0))
      .tensor("blk.0.ffn_norm.weight", f32, {8}, numbered(8, 3));
}

std::string decoder(std::string_view architecture) {
  GgufBuilder builder = described(architecture);
  add_attention(builder);
  builder.tensor("blk.0.ffn_gate.weight", f32, {12, 8}, numbered(96, 0))
      .tensor("blk.0.ffn_up.weight", f32, {12, 8}, numbered(96, 1000))
      .tensor("blk.0.ffn_down.weight", f32, {8, 12}, numbered(96, 2000));
  return builder.build();
}

std::unique_ptr<Model> opened(const ModelDirectory& directory, const std::string& name) {
  auto model = open_model(directory.path(name));
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return *std::move(model);
}

std::unique_ptr<Model> opened(const std::string& content) {
  ModelDirectory directory;
  directory.write("m.gguf", content);
  return opened(directory, "m.gguf");
}

const Claim* claim(const Model& model, std::string_view key) {
  const auto found = std::ranges::find(model.claims, key, &Claim::key);
  return found == model.claims.end() ? nullptr : &*found;
}

std::vector<float> first_column(const Model& model, std::string_view role) {
  const CanonicalTensor* tensor = model.find(role, 0);
  REQUIRE(tensor != nullptr);
  const auto values = read_all(model, *tensor);
  REQUIRE(values.has_value());
  std::vector<float> column;
  for (std::size_t i = 0; i < values->size(); i += tensor->cols) column.push_back((*values)[i]);
  return column;
}

}  // namespace

TEST_CASE("one GGUF file tells what a directory tells") {
  const auto model = opened(decoder("llama"));
  const Architecture& built = model->architecture;
  CHECK(built.family == "llama");
  CHECK(built.explained == 1);
  CHECK(built.layers == 1);
  CHECK(built.heads == 2);
  CHECK(built.kv_heads == 1);
  CHECK(built.ffn == 12);
  CHECK(built.rope_theta == 500000);
  CHECK(built.norm_eps == 0.5);
  CHECK(built.context == 64);
  CHECK(built.tied_embeddings);
  CHECK(built.renames.empty());
  CHECK(model->problems.empty());
}

TEST_CASE("what a GGUF header claims has its place, and one key names a parent") {
  const auto model = opened(decoder("llama"));
  REQUIRE(claim(*model, "general.base_model.0.repo_url") != nullptr);
  CHECK(claim(*model, "general.base_model.0.repo_url")->kind == Claim::Kind::base_model);
  CHECK(claim(*model, "general.base_model.0.name")->kind == Claim::Kind::other);
  CHECK(claim(*model, "general.license")->kind == Claim::Kind::license);
  CHECK(claim(*model, "general.name")->value == "tiny");
  CHECK(claim(*model, "general.architecture")->offset == 24);
  CHECK(claim(*model, "general.architecture")->file == "m.gguf");
}

TEST_CASE("rows of q and k in rotary pairs come back by halves of heads") {
  const auto model = opened(decoder("llama"));
  // Stored rows of a head of four: 0, 2, 1, 3 of the halves' order.
  CHECK(first_column(*model, "attn.q") == std::vector<float>{0, 16, 8, 24, 32, 48, 40, 56});
  CHECK(first_column(*model, "attn.k") == std::vector<float>{0, 16, 8, 24});
  CHECK(first_column(*model, "attn.v") == std::vector<float>{0, 8, 16, 24});
  const CanonicalTensor* q = model->find("attn.q", 0);
  CHECK(q->transforms == std::vector<std::string>{"rope-permute"});
  const std::vector<std::uint64_t> rows = {6, 1};
  const std::vector<std::uint64_t> cols = {3, 0};
  CHECK(read_rows(*model, *q, rows)->at(0) == 40);
  CHECK(read_rows(*model, *q, rows)->at(8) == 16);
  CHECK(*read_block(*model, *q, rows, cols) == std::vector<float>{43, 40, 19, 16});
}

TEST_CASE("the order of rows that fits beside a model with the same weights is taken") {
  // The same bytes are no pairs here: another producer's file.
  const auto mine = opened(decoder("llama"));
  const auto other = opened(decoder("gemma"));
  REQUIRE(other->find("attn.q", 0) != nullptr);
  CHECK(fit_row_order(*mine, *other));
  CHECK(first_column(*mine, "attn.q") == std::vector<float>{0, 8, 16, 24, 32, 40, 48, 56});
  CHECK(mine->find("attn.q", 0)->transforms.empty());
  CHECK_FALSE(fit_row_order(*mine, *other));
  CHECK_FALSE(fit_row_order(*other, *opened(decoder("gemma"))));
}

TEST_CASE("families that converters do not permute keep their rows") {
  GgufBuilder builder = described("qwen2");
  add_attention(builder);
  builder.tensor("blk.0.attn_q.bias", f32, {8}, numbered(8, 0))
      .tensor("blk.0.attn_k.bias", f32, {4}, numbered(4, 0))
      .tensor("blk.0.attn_v.bias", f32, {4}, numbered(4, 0))
      .tensor("blk.0.ffn_gate.weight", f32, {12, 8}, numbered(96, 0))
      .tensor("blk.0.ffn_up.weight", f32, {12, 8}, numbered(96, 0))
      .tensor("blk.0.ffn_down.weight", f32, {8, 12}, numbered(96, 0));
  const auto model = opened(builder.build());
  CHECK(model->architecture.family == "qwen2");
  CHECK(model->find("attn.q", 0)->transforms.empty());
}

TEST_CASE("the gains of Gemma files are read without the one that converters add") {
  const auto model = opened(decoder("gemma"));
  CHECK(model->architecture.family == "gemma");
  CHECK(first_column(*model, "attn.norm") == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(model->find("attn.norm", 0)->transforms == std::vector<std::string>{"norm-plus-one"});
}

TEST_CASE("stacked experts become one tensor each") {
  GgufBuilder builder = described("llama");
  builder.u32("llama.expert_count", 2);
  add_attention(builder);
  builder.tensor("blk.0.ffn_gate_inp.weight", f32, {2, 8}, numbered(16, 0))
      .tensor("blk.0.ffn_gate_exps.weight", f32, {2, 12, 8}, numbered(192, 0))
      .tensor("blk.0.ffn_up_exps.weight", f32, {2, 12, 8}, numbered(192, 0))
      .tensor("blk.0.ffn_down_exps.weight", f32, {2, 8, 12}, numbered(192, 0));
  const auto model = opened(builder.build());
  CHECK(model->architecture.family == "mixtral");
  CHECK(model->architecture.experts == 2);
  const CanonicalTensor* second = model->find("moe.down", 0, 1);
  REQUIRE(second != nullptr);
  CHECK(second->rows == 8);
  CHECK(second->cols == 12);
  CHECK(second->transforms == std::vector<std::string>{"stack-experts"});
  CHECK(read_all(*model, *second)->front() == 96);
  CHECK(model->problems.empty());
}

TEST_CASE("a vocabulary in a header meets the same one in a file of its own") {
  const std::vector<std::string> tokens = {"<s>", "a", "b", "ab", "[PAD4]"};
  GgufBuilder builder = described("llama");
  builder.text("tokenizer.ggml.model", "gpt2")
      .texts("tokenizer.ggml.tokens", tokens)
      .i32s("tokenizer.ggml.token_type", {3, 1, 1, 1, 5})
      .texts("tokenizer.ggml.merges", {"a b"});
  add_attention(builder);
  ModelDirectory directory;
  directory.write("hub/tokenizer.json",
                  R"({"added_tokens":[{"id":0,"content":"<s>"}],"model":{"type":"BPE",)"
                  R"("vocab":{"a":1,"b":2,"ab":3},"merges":["a b"]}})");
  directory.write("hub/model.safetensors", "");
  directory.write("m.gguf", builder.build());
  const auto mine = opened(directory, "m.gguf");
  const auto theirs = opened(directory, "hub");
  REQUIRE(mine->tokenizer.has_value());
  REQUIRE(theirs->tokenizer.has_value());
  CHECK(mine->tokenizer->vocabulary_digest == theirs->tokenizer->vocabulary_digest);
  CHECK(mine->tokenizer->merges_digest == theirs->tokenizer->merges_digest);
  CHECK(mine->tokenizer->added == theirs->tokenizer->added);
}

TEST_CASE("WordPiece tokens lose the mark that converters give them") {
  GgufBuilder builder = described("bert");
  builder.text("tokenizer.ggml.model", "bert")
      .texts("tokenizer.ggml.tokens", {"[CLS]", "\xE2\x96\x81house", "s"})
      .i32s("tokenizer.ggml.token_type", {3, 1, 1});
  const auto model = opened(builder.build());
  REQUIRE(model->tokenizer.has_value());
  CHECK(model->tokenizer->tokens == std::vector<std::string>{"[CLS]", "house", "##s"});
}

TEST_CASE("the parts of a split are held against what they tell of it") {
  const SplitPart one = {.file = "a", .number = 0, .count = 2, .tensors_in_all = 3, .tensors = 2};
  SplitPart two = {.file = "b", .number = 1, .count = 2, .tensors_in_all = 3, .tensors = 1};
  const auto told = [&](std::vector<SplitPart> parts) { return check_split(parts).size(); };
  CHECK(told({}) == 0);
  CHECK(told({one, two}) == 0);
  CHECK(told({one}) == 1);
  two.tensors = 2;
  CHECK(told({one, two}) == 1);
  two.number = 0;
  CHECK(told({one, two}) == 1);
  two.count = 3;
  CHECK(told({one, two}) == 2);
}

TEST_CASE("a list that repeats one number a layer is that number, another is none") {
  const auto facts = [](std::vector<double> heads) {
    const std::vector<HeaderField> fields = {
        {.key = "general.architecture", .value = std::string("llama")},
        {.key = "llama.attention.head_count", .value = std::move(heads)},
        {.key = "llama.block_count", .value = std::int64_t{-1}}};
    return header_facts(fields, "m.gguf");
  };
  CHECK(facts({4, 4}).heads == 4);
  CHECK_FALSE(facts({4, 2}).heads.has_value());
  CHECK(facts({}).unusable.size() == 1);
  CHECK_FALSE(facts({4}).layers.has_value());
}

}  // namespace pedigree
