#include "model/config_check.h"

#include <doctest/doctest.h>

#include "base/json.h"
#include "model/head_counts.h"
#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

// Width 96 with 4 query heads and 2 for keys and values, 24 each; MLP 256, 768 tokens.
constexpr std::string_view true_config =
    R"("model_type": "llama", "hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 256, "vocab_size": 768)";

ConfigFacts facts(std::string_view members) {
  const auto document = parse_json("{" + std::string(members) + "}", "config.json");
  REQUIRE(document.has_value());
  return config_facts(document->root, "config.json");
}

// The true config with some members said again, otherwise: the last one counts.
ConfigFacts changed(std::string_view members) {
  return facts(std::string(true_config) + ", " + std::string(members));
}

std::string told(const ModelInfo& info) {
  for (const Problem& problem : info.problems) {
    if (problem.code == "config-weights-mismatch") {
      CHECK(problem.file == "config.json");
      return problem.message.substr(std::string("the config and the tensors disagree on ").size());
    }
  }
  return {};
}

std::string told(std::string_view members) { return told(test::llama().model(changed(members))); }

HeadCounts counts(const ConfigFacts& config, const test::NamedTensors& tensors = test::llama()) {
  const Architecture built = tensors.model(config).architecture;
  return {.heads = built.heads, .kv_heads = built.kv_heads, .head_dim = built.head_dim};
}

constexpr HeadCounts as_made = {.heads = 4, .kv_heads = 2, .head_dim = 24};

}  // namespace

TEST_CASE("head counts are believed when q, k, v and o all fit them") {
  CHECK(counts(facts(true_config)) == as_made);
  CHECK(counts(facts(R"("num_attention_heads": 4, "head_dim": 24)")) == as_made);
  CHECK(counts(facts(R"("head_dim": 24)")) == as_made);
  // Eight of twelve with four for keys and values explain the same rows.
  CHECK(counts(changed(R"("num_attention_heads": 8, "num_key_value_heads": 4)")) ==
        HeadCounts{.heads = 8, .kv_heads = 4, .head_dim = 12});
}

TEST_CASE("head counts that any attention matrix contradicts are not used") {
  for (const std::string_view heads : {"1", "2", "3", "6", "7", "8", "96", "0", "-4", "\"4\"",
                                       "4.5", "1000001", "18446744073709551615", "true"}) {
    CAPTURE(heads);
    const std::string said = R"("num_attention_heads": )" + std::string(heads);
    CHECK(counts(changed(said)) == HeadCounts{});
    CHECK(told(said).starts_with("attention: " + std::string(heads) + " heads, 2 for keys and "));
    CHECK(told(said).ends_with("values declared, but q has 96 rows and k 48"));
  }
  CHECK(counts(changed(R"("num_key_value_heads": 3)")) == HeadCounts{});
  CHECK(counts(changed(R"("head_dim": 25)")) == as_made);  // heads and their split fit
  CHECK(told(R"("head_dim": 25)") == "head size: 25 declared, 24 found");
  // Not said: as many for keys and values as for queries, which k does not show.
  CHECK(counts(facts(R"("num_attention_heads": 4)")) == HeadCounts{});
}

TEST_CASE("a norm on each head shows its size whatever the config says") {
  test::NamedTensors tensors = test::tensors_of(test::family_called("qwen3"));
  const ModelInfo info =
      tensors.model(changed(R"("model_type": "qwen3", "num_attention_heads": 8)"));
  CHECK(info.architecture.heads == 4);
  CHECK(info.architecture.head_dim == 24);
  CHECK(told(info) == "heads: 8 declared, 4 found");
}

TEST_CASE("what is no count is told beside what the tensors show") {
  CHECK(told(R"("hidden_act": "silu")").empty());
  CHECK(told(R"("num_hidden_layers": -3)") == "layers: -3 declared, 4 found");
  CHECK(told(R"("num_hidden_layers": "4")") == "layers: \"4\" declared, 4 found");
  CHECK(told(R"("num_hidden_layers": 3.5)") == "layers: 3.5 declared, 4 found");
  CHECK(told(R"("num_hidden_layers": 0)") == "layers: 0 declared, 4 found");
  CHECK(told(R"("hidden_size": null)") == "hidden size: null declared, 96 found");
  CHECK(told(R"("vocab_size": -1)") == "vocabulary rows: -1 declared, 768 found");
  CHECK(told(R"("num_key_value_heads": null, "head_dim": null)").starts_with("attention: 4 heads"));
  // What tensors cannot show stays unsaid, and so does a list with one value a layer.
  CHECK(told(R"("max_position_embeddings": -5, "hidden_act": "gelu")").empty());
  CHECK(told(R"("intermediate_size": [256, 256, 256, 256])").empty());
}

TEST_CASE("a long text in place of a count is cut between characters") {
  std::string long_text;
  for (int i = 0; i < 40; ++i) long_text += "é";
  const ConfigFacts config = changed(R"("num_hidden_layers": ")" + long_text + "\"");
  REQUIRE(config.unusable.size() == 1);
  CHECK(config.unusable[0].value.size() == 32 + 3 + 2);  // the text, an ellipsis, two quotes
}

TEST_CASE("experts declared of a dense model, and another data type, are told") {
  CHECK(told(R"("num_local_experts": 8)") == "experts: 8 declared, none found");
  CHECK(told(R"("num_local_experts": 1)").empty());
  CHECK(told(R"("torch_dtype": "float32")") == "data type: float32 declared, BF16 found");
  CHECK(told(R"("dtype": "torch.float16")") == "data type: torch.float16 declared, BF16 found");
  CHECK(told(R"("torch_dtype": "bfloat16")").empty());
  CHECK(told(R"("torch_dtype": "auto")").empty());
  CHECK(told(R"("torch_dtype": "float32", "quantization_config": {"quant_method": "x"})").empty());
  // Matrices of two types: the config names one of them or the computing type.
  test::NamedTensors mixed = test::llama().drop("lm_head").add("lm_head.weight", {768, 96}, "F32");
  CHECK(told(mixed.model(changed(R"("torch_dtype": "float16")"))).empty());
}

TEST_CASE("a declared model type is held against the names that explain the tensors") {
  CHECK(told(R"("model_type": "gpt2")") == "model type: GPT-2 declared, tensors of LLaMA found");
  CHECK(told(R"("model_type": "mistral")").empty());  // the same names
  CHECK(told(R"("model_type": "never-heard-of")").empty());
  CHECK(told(R"("model_type": "qwen2")") == "model type: Qwen2 declared, tensors of LLaMA found");
  // A part of a model lacks tensors of every family.
  const auto part = test::tensors_of(test::family_called("qwen2")).drop("self_attn");
  CHECK(told(part.model(facts(R"("model_type": "qwen2")"))).empty());
}

}  // namespace pedigree
