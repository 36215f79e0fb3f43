#include "model/roles.h"

#include <doctest/doctest.h>

#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

using test::codes;
using test::llama;
using test::roles_by_name;

using Codes = std::vector<std::string>;

ConfigFacts llama_config() {
  ConfigFacts config;
  config.present = true;
  config.file = "config.json";
  config.model_type = "llama";
  config.hidden = 96;
  config.layers = 4;
  config.heads = 4;
  config.kv_heads = 2;
  config.ffn = 256;
  config.vocab = 768;
  config.activation = "silu";
  return config;
}

TEST_CASE("a LLaMA's names give its roles, and the config splits rows into heads") {
  const ModelInfo info = llama().model(llama_config());
  const auto roles = roles_by_name(info);
  CHECK(roles.at("model.layers.3.mlp.down_proj.weight") == "ffn.down/3");
  CHECK(roles.at("model.layers.0.post_attention_layernorm.weight") == "ffn.norm/0");
  CHECK(roles.at("lm_head.weight") == "head.out");
  CHECK(info.architecture.family == "llama");
  CHECK(info.architecture.heads == 4);
  CHECK(info.architecture.kv_heads == 2);
  CHECK(info.architecture.head_dim == 24);
  CHECK(info.architecture.roles_from == "names");
  CHECK(info.problems.empty());
}

TEST_CASE("canonical tensors are sorted by layer, role and expert") {
  const ModelInfo info = test::tensors_of(test::family_called("mixtral"), 12).model();
  CHECK(std::ranges::is_sorted(info.canonical, {}, [](const CanonicalTensor& tensor) {
    return std::tuple(tensor.layer, tensor.role, tensor.expert);
  }));
  CHECK(info.canonical.front().layer == -1);
  CHECK(info.canonical.back().layer == 11);
  CHECK(info.architecture.experts == 2);
}

TEST_CASE("wrappers around names are taken off and recorded") {
  const ModelInfo info =
      llama().rename([](const std::string& name) { return "module._orig_mod." + name; }).model();
  CHECK(info.architecture.family == "llama");
  CHECK(info.architecture.explained == 1.0);
  CHECK(info.architecture.wrappers == std::vector<std::string>{"module._orig_mod."});
}

TEST_CASE("a model saved without its head keeps its family, with or without the prefix") {
  const ModelInfo info = llama()
                             .drop("lm_head")
                             .rename([](const std::string& name) { return name.substr(6); })
                             .model(llama_config());
  CHECK(info.architecture.family == "llama");
  CHECK(info.architecture.explained == 1.0);
  CHECK(info.architecture.wrappers.empty());
}

TEST_CASE("names that shapes contradict are not believed") {
  // gate and down have changed names in layer 2 only: the shapes outvote them.
  const auto swap = [](const std::string& name) {
    if (!name.starts_with("model.layers.2.mlp.")) return name;
    if (name.ends_with("gate_proj.weight"))
      return std::string("model.layers.2.mlp.down_proj.weight");
    if (name.ends_with("down_proj.weight"))
      return std::string("model.layers.2.mlp.gate_proj.weight");
    return name;
  };
  const auto roles = roles_by_name(llama().rename(swap).model());
  CHECK_FALSE(roles.contains("model.layers.2.mlp.gate_proj.weight"));
  CHECK_FALSE(roles.contains("model.layers.2.mlp.down_proj.weight"));
  CHECK(roles.at("model.layers.1.mlp.down_proj.weight") == "ffn.down/1");
}

TEST_CASE("keys and values of different height are not believed") {
  test::NamedTensors tensors = llama(1).drop("v_proj");
  tensors.add("model.layers.0.self_attn.v_proj.weight", {24, 96});
  const auto roles = roles_by_name(tensors.model());
  CHECK_FALSE(roles.contains("model.layers.0.self_attn.k_proj.weight"));
  CHECK_FALSE(roles.contains("model.layers.0.self_attn.v_proj.weight"));
  CHECK(roles.contains("model.layers.0.self_attn.q_proj.weight"));
}

TEST_CASE("the config's model_type tells families with the same names apart") {
  ConfigFacts config = llama_config();
  config.model_type = "mistral";
  CHECK(llama().model(config).architecture.family == "mistral");
  config.model_type = "gemma";
  config.activation = "gelu_pytorch_tanh";
  const Architecture gemma = llama().drop("lm_head").model(config).architecture;
  CHECK(gemma.family == "gemma");
  CHECK(gemma.norm_plus_one);
  CHECK(gemma.tied_embeddings);
  CHECK(llama().model().architecture.family == "llama");
}

TEST_CASE("tensors win over the config's model_type") {
  ConfigFacts config = llama_config();
  config.model_type = "qwen2";
  CHECK(llama().model(config).architecture.family == "llama");
  config.model_type = "llama";
  const ModelInfo yi = test::tensors_of(test::family_called("yi")).model(config);
  CHECK(yi.architecture.family == "yi");
  CHECK(yi.architecture.runner_up != "");
}

TEST_CASE("biases without a config make it the family that has them") {
  const ModelInfo info = test::tensors_of(test::family_called("qwen2")).model();
  CHECK(info.architecture.family == "qwen2");
  CHECK(info.architecture.attention_bias);
  CHECK(info.architecture.heads == 0);
  CHECK(info.architecture.head_dim == 0);
}

TEST_CASE("a LLaMA with biases everywhere says so in its structure") {
  const Architecture architecture =
      test::tensors_of(test::family_called("llama"), 2, test::small_sizes(), "bias")
          .model(llama_config())
          .architecture;
  CHECK(architecture.structure == "decoder/rmsnorm-pre/rope/gated-silu/attention-bias/mlp-bias");
}

TEST_CASE("per-head norms give the head size without a config") {
  const Architecture architecture =
      test::tensors_of(test::family_called("qwen3")).model().architecture;
  CHECK(architecture.head_dim == 24);
  CHECK(architecture.heads == 4);
  CHECK(architecture.kv_heads == 2);
}

TEST_CASE("a fused transposed tensor becomes three roles") {
  const ModelInfo info = test::tensors_of(test::family_called("gpt2"), 1).model();
  const auto found = std::ranges::find_if(
      info.canonical, [](const CanonicalTensor& tensor) { return tensor.role == "attn.v"; });
  REQUIRE(found != info.canonical.end());
  CHECK(found->rows == 96);
  CHECK(found->cols == 96);
  CHECK(found->first_row == 192);
  CHECK(found->transposed);
  CHECK(found->transforms == std::vector<std::string>{"transpose", "split-concat"});
  CHECK(roles_by_name(info).at("transformer.h.0.attn.c_attn.bias") ==
        "attn.k.bias/0+attn.q.bias/0+attn.v.bias/0");
  CHECK(info.architecture.context == 64);
}

const CanonicalTensor& part_of(const ModelInfo& info, std::string_view role) {
  const auto found = std::ranges::find(info.canonical, role, &CanonicalTensor::role);
  REQUIRE(found != info.canonical.end());
  return *found;
}

TEST_CASE("parts that take turns by head are told apart once heads are counted") {
  const auto tensors = test::tensors_of(test::family_called("gpt_neox"), 1);
  ConfigFacts config{.present = true, .file = "config.json", .model_type = "gpt_neox"};
  config.heads = 4;
  const ModelInfo info = tensors.model(config);
  const CanonicalTensor& keys = part_of(info, "attn.k");
  CHECK(keys.rows == 96);
  CHECK(keys.first_row == 24);
  CHECK(keys.run == 24);
  CHECK(keys.period == 72);
  CHECK(keys.transforms == std::vector<std::string>{"split-head-interleave"});
  CHECK(part_of(info, "attn.v.bias").first_row == 48);
}

TEST_CASE("parts that take turns have no role while nobody counts the heads") {
  const ModelInfo info = test::tensors_of(test::family_called("gpt_neox"), 1).model();
  CHECK(std::ranges::none_of(info.canonical,
                             [](const auto& tensor) { return tensor.role == "attn.q"; }));
  CHECK(part_of(info, "attn.o").rows == 96);
}

TEST_CASE("queries that share a key stand before it in InternLM2") {
  ConfigFacts config{.present = true, .file = "config.json", .model_type = "internlm2"};
  config.heads = 4;
  config.kv_heads = 2;
  const ModelInfo info = test::tensors_of(test::family_called("internlm2"), 1).model(config);
  const CanonicalTensor& queries = part_of(info, "attn.q");
  CHECK(queries.run == 48);
  CHECK(queries.period == 96);
  const CanonicalTensor& values = part_of(info, "attn.v");
  CHECK(values.first_row == 72);
  CHECK(values.run == 24);
}

TEST_CASE("one tensor of a name that many nets have makes no family") {
  const ModelInfo info = test::NamedTensors().add("head.weight", {2, 3}).model();
  CHECK(info.architecture.family == "unknown");
  CHECK(info.canonical.empty());
  CHECK(codes(info) == Codes{"architecture-unknown"});
}

TEST_CASE("missing layers are named, and the others keep their numbers") {
  const ModelInfo info = llama(6).drop("layers.2.").drop("layers.4.").model();
  CHECK(codes(info) == Codes{"layers-not-contiguous"});
  CHECK(info.problems.front().message == "layers run to 5 but 2 are missing: 2, 4");
  CHECK(info.architecture.layers == 6);
  CHECK(roles_by_name(info).at("model.layers.5.mlp.up_proj.weight") == "ffn.up/5");
}

TEST_CASE("a far layer number costs no memory and no time") {
  test::NamedTensors tensors = llama(2);
  tensors.add("model.layers.99999.input_layernorm.weight", {96});
  const ModelInfo info = tensors.model();
  CHECK(info.problems.front().message ==
        "layers run to 99999 but 99997 are missing: 2, 3, 4, 5, 6, 7, 8, 9, …");
}

TEST_CASE("a config that contradicts the tensors is told what they show") {
  ConfigFacts config = llama_config();
  config.layers = 8;
  config.vocab = 1000;
  config.kv_heads = 4;
  const ModelInfo info = llama().model(config);
  CHECK(codes(info) == Codes{"config-weights-mismatch"});
  CHECK(info.problems.front().file == "config.json");
  CHECK(info.problems.front().message ==
        "the config and the tensors disagree on layers: 8 declared, 4 found; vocabulary rows: "
        "1000 declared, 768 found; attention: 4 heads, 4 for keys and values declared, but q has "
        "96 rows and k 48");
  CHECK(info.architecture.kv_heads == 0);  // nothing said of heads is believed
}

TEST_CASE("of a model and its averaged copy one is read") {
  test::NamedTensors tensors = llama(2);
  for (const StoredTensor& copy : llama(2).model().tensors) {
    tensors.add("ema_model." + copy.entry.name, copy.entry.shape);
  }
  const ModelInfo info = tensors.model();
  CHECK(roles_by_name(info).size() == 21);
  CHECK(roles_by_name(info).contains("lm_head.weight"));
  CHECK(info.architecture.explained == doctest::Approx(0.5));
}

TEST_CASE("buffers are explained but carry no role") {
  test::NamedTensors tensors = llama(1);
  tensors.add("model.layers.0.self_attn.rotary_emb.inv_freq", {12}, "F32");
  const ModelInfo info = tensors.model();
  CHECK(info.architecture.explained == 1.0);
  CHECK(roles_by_name(info).size() == info.tensors.size() - 1);
}

TEST_CASE("tensors nobody can place leave the architecture unknown") {
  const ModelInfo info = test::NamedTensors().add("a", {7, 5}).add("b", {3}).model();
  CHECK(codes(info) == Codes{"architecture-unknown"});
  CHECK(info.canonical.empty());
  CHECK(info.architecture.family == "unknown");
  CHECK(info.architecture.structure == "unknown");
}

TEST_CASE("known names around packed weights still name the family") {
  test::NamedTensors tensors = llama(2).drop("_proj").drop("lm_head");
  for (const char* layer : {"0", "1"}) {
    tensors.add(std::string("model.layers.") + layer + ".mlp.up_proj.qweight", {4096, 96}, "I32");
  }
  const ModelInfo info = tensors.model();
  CHECK(codes(info) == Codes{"architecture-unknown"});
  CHECK(info.problems.front().message.contains("(Gemma)") == false);
  CHECK(roles_by_name(info).at("model.norm.weight") == "head.norm");
}

TEST_CASE("no tensors are no problem of the architecture") {
  const ModelInfo info = test::NamedTensors().model(llama_config());
  CHECK(info.problems.empty());
  CHECK(info.architecture.family == "unknown");
}

TEST_CASE("tables under common names are no family, however much they weigh") {
  test::NamedTensors net;
  net.add("emb.weight", {500, 64}).add("head.weight", {500, 64}).add("rnn.weight_ih_l0", {256, 64});
  const ModelInfo info = net.model();
  CHECK(info.architecture.family == "unknown");
  CHECK(info.canonical.empty());
}

}  // namespace
}  // namespace pedigree
