#include "model/metadata_architecture.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/model.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

constexpr std::string_view llama =
    R"({"model_type":"llama","architectures":["LlamaForCausalLM"],"hidden_size":64,)"
    R"("num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,)"
    R"("intermediate_size":96,"vocab_size":320,"rms_norm_eps":1e-05})";

std::vector<std::string> layer_names(int layers, std::string_view first_norm) {
  std::vector<std::string> names = {"model.embed_tokens.weight", "model.norm.weight",
                                    "lm_head.weight"};
  for (int layer = 0; layer < layers; ++layer) {
    const std::string second = first_norm == "ln1" ? "ln2" : "post_attention_layernorm";
    for (const std::string& name :
         {std::string("self_attn.q_proj"), std::string("self_attn.k_proj"),
          std::string("self_attn.v_proj"), std::string("self_attn.o_proj"),
          std::string("mlp.gate_proj"), std::string("mlp.up_proj"), std::string("mlp.down_proj"),
          std::string(first_norm), second}) {
      names.push_back(fmt::format("model.layers.{}.{}.weight", layer, name));
    }
  }
  return names;
}

std::string index_of(const std::vector<std::string>& names, std::string_view metadata = "{}") {
  std::string map;
  for (const std::string& name : names) {
    map +=
        fmt::format("{}\"{}\":\"model-00001-of-00001.safetensors\"", map.empty() ? "" : ",", name);
  }
  return fmt::format(R"({{"metadata":{},"weight_map":{{{}}}}})", metadata, map);
}

std::unique_ptr<Model> opened(const ModelDirectory& directory) {
  auto model = open_model(directory.path());
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return std::move(*model);
}

std::string message_of(const Model& model, std::string_view code) {
  const auto at = std::ranges::find(model.problems, code, &Problem::code);
  return at == model.problems.end() ? "" : at->message;
}

}  // namespace

TEST_CASE("a config alone describes the model it is of, and no tensors are claimed") {
  ModelDirectory directory;
  directory.write("config.json", std::string(llama));
  const auto model = opened(directory);
  const Architecture& built = model->architecture;
  CHECK(built.family == "llama");
  CHECK(built.roles_from == "config");
  CHECK(built.explained == 0);
  CHECK(built.layers == 2);
  CHECK(built.kv_heads == 2);
  CHECK(built.layer_template.starts_with("2 × {attn.norm 64 · attn.q 64×64 · attn.k 32×64"));
  CHECK(model->canonical.empty());
  CHECK(model->tensors.empty());
}

TEST_CASE("names in an index tell the family, whatever the config calls it") {
  ModelDirectory directory;
  directory.write("config.json", std::string(llama));
  directory.write("model.safetensors.index.json", index_of(layer_names(2, "ln1")));
  const auto model = opened(directory);
  CHECK(model->architecture.family == "yi");
  CHECK(model->architecture.roles_from == "index");
  CHECK(model->architecture.explained == 1);
  REQUIRE(model->architecture.renames.size() == 2);
  CHECK(model->architecture.renames[0] ==
        std::pair<std::string, std::string>("ln1", "input_layernorm"));
}

TEST_CASE("a config that asks for other layers than the index lists is a finding") {
  ModelDirectory directory;
  directory.write("config.json", std::string(llama));
  directory.write("model.safetensors.index.json", index_of(layer_names(3, "input_layernorm")));
  const auto model = opened(directory);
  CHECK(model->architecture.layers == 3);
  CHECK(message_of(*model, "config-weights-mismatch").contains("layers: 2 declared, 3 found"));
}

TEST_CASE("an index whose bytes the config's sizes cannot make is a finding") {
  // 320·64 twice, 64, and two layers of 2·64·64 + 2·32·64 + 3·96·64 + 2·64 values.
  constexpr std::uint64_t values =
      2 * 320 * 64 + 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64 + 2 * 64);
  const auto told = [](std::uint64_t bytes) {
    ModelDirectory directory;
    directory.write("config.json", std::string(llama));
    directory.write(
        "model.safetensors.index.json",
        index_of(layer_names(2, "input_layernorm"), fmt::format(R"({{"total_size":{}}})", bytes)));
    return message_of(*opened(directory), "config-weights-mismatch");
  };
  CHECK(told(2 * values).empty());
  CHECK(told(4 * values).empty());
  CHECK(told(3 * values).contains(fmt::format("make {} values", values)));
}

TEST_CASE("a language model beside other towers is known by its own names") {
  ModelDirectory directory;
  std::vector<std::string> names = layer_names(2, "input_layernorm");
  for (std::string& name : names) name = "llm." + name;
  for (int i = 0; i < 60; ++i) names.push_back(fmt::format("tower.blocks.{}.weight", i));
  directory.write("model.safetensors.index.json", index_of(names));
  const auto model = opened(directory);
  CHECK(model->architecture.family == "llama");
  CHECK(model->architecture.layers == 2);
  CHECK(model->architecture.hidden == 0);
  CHECK(model->architecture.explained < 0.5);
}

TEST_CASE("a model type that nobody knows is said to be unknown") {
  ModelDirectory directory;
  directory.write("config.json", R"({"model_type":"nobody's","hidden_size":64})");
  const auto model = opened(directory);
  CHECK(model->architecture.family == "unknown");
  CHECK(message_of(*model, "architecture-unknown").contains("nobody's"));
}

TEST_CASE("a config that asks for more tensors than memory holds is cut off") {
  ModelDirectory directory;
  directory.write("config.json",
                  R"({"model_type":"mixtral","hidden_size":64,"num_hidden_layers":4000000000,)"
                  R"("num_attention_heads":4,"num_local_experts":4000000000,"vocab_size":320,)"
                  R"("intermediate_size":96})");
  const auto model = opened(directory);
  CHECK(model->architecture.family == "mixtral");
  CHECK(model->canonical.empty());
}

TEST_CASE("a list of tensor names stands in for an index") {
  ModelDirectory directory;
  directory.write("config_reconstructed.json", std::string(llama));
  std::string names;
  for (const std::string& name : layer_names(2, "ln1")) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ",", name);
  }
  directory.write("tensor_names.json", fmt::format(R"({{"names":[{}]}})", names));
  const auto model = opened(directory);
  CHECK(model->architecture.family == "yi");
  CHECK(model->architecture.hidden == 64);
  CHECK(message_of(*model, "config-missing").contains("config_reconstructed.json"));
}

TEST_CASE("of two files that might be the config neither is taken") {
  ModelDirectory directory;
  directory.write("config_a.json", std::string(llama));
  directory.write("config_b.json", std::string(llama));
  const auto model = opened(directory);
  CHECK(model->architecture.layers == 0);
  CHECK(message_of(*model, "config-missing") == "there is no config.json");
}

TEST_CASE("a list that holds no names is refused and says so") {
  ModelDirectory directory;
  directory.write("tensor_names.json", R"({"names":[1,2]})");
  CHECK(message_of(*opened(directory), "json-malformed") == "this is no list of names");
}

}  // namespace pedigree
