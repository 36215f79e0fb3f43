#include "model/config_facts.h"

#include <doctest/doctest.h>

#include <string>

#include "model/adapter.h"
#include "model/manifest_claims.h"
#include "model/manifest_json.h"

namespace pedigree {
namespace {

JsonValue parsed(std::string_view text) {
  auto document = parse_json(text, "config.json");
  REQUIRE(document.has_value());
  return std::move(document->root);
}

ConfigFacts facts(std::string_view text) { return config_facts(parsed(text), "config.json"); }

}  // namespace

TEST_CASE("one fact has one field whatever a family calls it") {
  CHECK(facts(R"({"hidden_size":4096})").hidden == 4096);
  CHECK(facts(R"({"n_embd":768,"n_layer":12,"n_head":12,"n_positions":1024})").hidden == 768);
  CHECK(facts(R"({"d_model":512,"n_layers":6})").layers == 6);
  CHECK(facts(R"({"n_head_kv":8})").kv_heads == 8);
  CHECK(facts(R"({"attn_config":{"kv_n_heads":4}})").kv_heads == 4);
  CHECK(facts(R"({"kv_channels":128})").head_dim == 128);
  CHECK(facts(R"({"qk_nope_head_dim":128,"qk_rope_head_dim":64})").head_dim == 192);
  CHECK(facts(R"({"layer_norm_epsilon":1e-05})").norm_eps == 1e-5);
  CHECK(facts(R"({"rope_parameters":{"rope_theta":500000.0}})").rope_theta == 500000.0);
  CHECK(facts(R"({"n_routed_experts":256,"num_experts_per_tok":8})").experts == 256);
  CHECK(facts(R"({"ffn_config":{"moe_num_experts":16}})").experts == 16);
  CHECK(facts(R"({"activation_function":"gelu_new"})").activation == "gelu_new");
}

TEST_CASE("what the config does not say is absent, not zero") {
  const ConfigFacts none = facts("{}");
  CHECK(none.present);
  CHECK_FALSE(none.hidden.has_value());
  CHECK_FALSE(none.tie_word_embeddings.has_value());
  CHECK_FALSE(facts(R"({"n_inner":null})").ffn.has_value());
  CHECK_FALSE(facts(R"({"hidden_size":-1})").hidden.has_value());
  CHECK_FALSE(facts(R"({"hidden_size":"big"})").hidden.has_value());
  CHECK_FALSE(facts("[1]").present);
}

TEST_CASE("a whole number written with a fraction is still a count") {
  CHECK(facts(R"({"hidden_size":4096.0})").hidden == 4096);
  CHECK_FALSE(facts(R"({"hidden_size":4096.5})").hidden.has_value());
}

TEST_CASE("the decoder's part of a multimodal config is where its facts come from") {
  const ConfigFacts nested =
      facts(R"({"model_type":"llava","text_config":{"model_type":"llama","hidden_size":5120},)"
            R"("vision_config":{"hidden_size":1024},"tie_word_embeddings":false})");
  CHECK(nested.nested == "text_config");
  CHECK(nested.hidden == 5120);
  CHECK(nested.model_type == "llava");
  CHECK(nested.nested_model_type == "llama");
  CHECK(nested.tie_word_embeddings == false);
  CHECK(facts(R"({"thinker_config":{"text_config":{"hidden_size":7}}})").hidden == 7);
  CHECK(facts(R"({"llm_config":{"n_embd":9}})").hidden == 9);
}

TEST_CASE("one shared key and value head is what multi_query means") {
  CHECK(facts(R"({"multi_query":true})").kv_heads == 1);
  CHECK_FALSE(facts(R"({"multi_query":true,"new_decoder_architecture":true})").kv_heads);
  CHECK_FALSE(facts(R"({"multi_query":false})").kv_heads);
}

TEST_CASE("the first Qwen counts gate and up together") {
  CHECK(facts(R"({"model_type":"qwen","intermediate_size":22016})").ffn == 11008);
  CHECK(facts(R"({"model_type":"qwen2","intermediate_size":11008})").ffn == 11008);
}

TEST_CASE("a declared quantiser is named, also by old configs") {
  CHECK(facts(R"({"quantization_config":{"quant_method":"gptq"}})").quantization == "gptq");
  CHECK(facts(R"({"quantization_config":{"load_in_4bit":true}})").quantization == "bitsandbytes");
  CHECK(facts(R"({"quantization_config":{}})").quantization == "unspecified");
  CHECK(facts("{}").quantization.empty());
}

TEST_CASE("every scalar is listed in file order with its path and line") {
  const ConfigFacts listed = facts("{\"b\": 1,\n \"a\": {\"x\": [true, null]},\n \"c\": 1e-05}");
  REQUIRE(listed.entries.size() == 4);
  CHECK(listed.entries[0] == ConfigEntry{"b", "1", 1});
  CHECK(listed.entries[1] == ConfigEntry{"a.x[0]", "true", 2});
  CHECK(listed.entries[2] == ConfigEntry{"a.x[1]", "null", 2});
  CHECK(listed.entries[3] == ConfigEntry{"c", "1e-05", 3});
}

TEST_CASE("NaN and Infinity outside strings do not hide the rest of a config") {
  std::vector<Problem> problems;
  const auto root = parse_side_json(
      "{\"a\": NaN,\n\"b\": -Infinity, \"c\": \"NaN \\\" NaN\", \"hidden_size\": 64}",
      "config.json", problems);
  REQUIRE(root.has_value());
  CHECK(root->find("a")->kind == JsonValue::Kind::null);
  CHECK(root->find("b")->kind == JsonValue::Kind::null);
  CHECK(root->find("c")->text == "NaN \" NaN");
  CHECK(root->find("hidden_size")->line == 2);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].code == "json-nan");
  CHECK(problems[0].line == 1);
}

TEST_CASE("an integer beyond 64 bits keeps its digits and is a problem") {
  std::vector<Problem> problems;
  const auto root = parse_side_json(
      R"({"a":123456789012345678901234567890,"b":18446744073709551615})", "config.json", problems);
  REQUIRE(root.has_value());
  CHECK(root->find("a")->text == "123456789012345678901234567890");
  CHECK(root->find("b")->unsigned_integer == 18446744073709551615ULL);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].code == "json-number-range");
}

TEST_CASE("what only looks like a large integer is refused and not taken for a text") {
  for (const std::string_view bad : {"-", "--", "1-2", "-1-", "123456789012345678901-2"}) {
    std::vector<Problem> problems;
    const auto root =
        parse_side_json("{\"x\":NaN,\"a\":" + std::string(bad) + "}", "config.json", problems);
    CHECK_FALSE_MESSAGE(root.has_value(), bad);
    CHECK_FALSE(problems.empty());
  }
}

TEST_CASE("the no-limit of tokenizer configs is no problem") {
  std::vector<Problem> problems;
  const auto root =
      parse_side_json(R"({"model_max_length":1000000000000000019884624838656,"name_or_path":"x"})",
                      "tokenizer_config.json", problems);
  REQUIRE(root.has_value());
  CHECK(problems.empty());
  CHECK(root->find("name_or_path")->text == "x");
}

TEST_CASE("what a config says of its origin becomes claims with lines") {
  std::vector<Claim> claims;
  add_config_claims(parsed("{\"_name_or_path\": \"org/base\",\n\"architectures\": [\"X\"],\n"
                           "\"quantization_config\": {\"quant_method\": \"awq\"}}"),
                    "config.json", claims);
  REQUIRE(claims.size() == 3);
  CHECK(claims[0].kind == Claim::Kind::base_model);
  CHECK(claims[0].key == "_name_or_path");
  CHECK(claims[0].line == 1);
  CHECK(claims[1].key == "quantization_config.quant_method");
  CHECK(claims[1].line == 3);
  CHECK(claims[2].key == "architectures[0]");
  CHECK(claims[2].line == 2);
}

TEST_CASE("an empty or null path is no claim") {
  std::vector<Claim> claims;
  add_config_claims(parsed(R"({"_name_or_path":"","base_model":null})"), "config.json", claims);
  CHECK(claims.empty());
}

TEST_CASE("an adapter's config claims its base and its kind") {
  std::vector<Claim> claims;
  add_adapter_claims(
      parsed(R"({"base_model_name_or_path":"org/b","revision":null,"peft_type":"LORA","r":16})"),
      "adapter_config.json", claims);
  REQUIRE(claims.size() == 3);
  CHECK(claims[0].kind == Claim::Kind::base_model);
  CHECK(claims[0].value == "org/b");
  CHECK(claims[1].value == "LORA");
  CHECK(claims[2].value == "16");
}

TEST_CASE("adapter matrices are known by the names their trainers give them") {
  for (const std::string_view name :
       {"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
        "base_model.model.lm_head.lora_embedding_B", "x.lora_B.default.weight",
        "lora_unet_down_blocks_0.lora_down.weight", "lora_te_text_model.alpha",
        "x.lora_magnitude_vector", "unet.up.lora.down.weight", "blk.0.attn_q.weight.lora_a",
        "model.layers.0.mlp.down_proj.ia3_l"}) {
    CHECK_MESSAGE(is_adapter_tensor(name), name);
  }
  for (const std::string_view name :
       {"model.layers.0.self_attn.q_proj.weight", "explorations.weight", "lm_head.weight",
        "base_model.model.lm_head.weight"}) {
    CHECK_FALSE_MESSAGE(is_adapter_tensor(name), name);
  }
}

}  // namespace pedigree
