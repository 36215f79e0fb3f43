#include "model/architecture.h"

#include <doctest/doctest.h>

#include "base/files.h"
#include "base/json.h"
#include "model/architecture_facts.h"
#include "tests/unit/model/architecture_models.h"

namespace pedigree {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// The published sizes of Yi-6B and LLaMA-7B.
test::SizeTable sizes(std::uint64_t vocab, std::uint64_t kv) {
  return {{Symbol::hidden, 4096}, {Symbol::vocab, vocab}, {Symbol::head_rows, vocab},
          {Symbol::q, 4096},      {Symbol::kv, kv},       {Symbol::ffn, 11008}};
}

ConfigFacts config_text(std::string_view text) {
  const Result<JsonDocument> document = parse_json(text, "config.json");
  REQUIRE(document.has_value());
  return config_facts(document->root, "config.json");
}

Architecture yi_6b() {
  return test::tensors_of(test::family_called("yi"), 32, sizes(64000, 512))
      .model(config_text(R"({"model_type": "Yi", "vocab_size": 64000, "hidden_size": 4096,
        "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 4, "max_position_embeddings": 4096, "rms_norm_eps": 1e-05,
        "rope_theta": 5000000.0, "hidden_act": "silu", "tie_word_embeddings": false})"))
      .architecture;
}

Architecture llama_7b() {
  return test::llama(32, sizes(32000, 4096))
      .model(config_text(R"({"model_type": "llama", "vocab_size": 32000, "hidden_size": 4096,
        "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32,
        "max_sequence_length": 2048, "rms_norm_eps": 1e-06, "hidden_act": "silu"})"))
      .architecture;
}

TEST_CASE("Yi-6B and LLaMA-7B are one architecture with two renames") {
  const Architecture yi = yi_6b();
  const Architecture llama = llama_7b();
  CHECK(yi.family == "yi");
  CHECK(llama.family == "llama");
  CHECK(yi.structure == llama.structure);
  CHECK(same_architecture(yi, llama));
  CHECK(yi.renames == Pairs{{"ln1", "input_layernorm"}, {"ln2", "post_attention_layernorm"}});
  CHECK(llama.renames.empty());
}

TEST_CASE("what differs between Yi-6B and LLaMA-7B is listed") {
  CHECK(architecture_differences(yi_6b(), llama_7b()) ==
        Pairs{{"kv heads", "4 against 32"},
              {"vocabulary", "64000 against 32000"},
              {"rope theta", "5000000 against 10000"},
              {"norm epsilon", "1e-05 against 1e-06"},
              {"context", "4096 against 2048"}});
}

TEST_CASE("every part of a structure survives reading and writing") {
  const std::string text = "decoder/layernorm-pre/learned/plain-gelu/attention-bias/mlp-bias";
  const Structure structure = parse_structure(text);
  CHECK(structure.kind == "decoder");
  CHECK(structure.norm == "layernorm");
  CHECK(structure.placement == "pre");
  CHECK(structure.positions == "learned");
  CHECK_FALSE(structure.gated);
  CHECK(structure.activation == "gelu");
  CHECK(structure.additions == std::vector<std::string>{"attention-bias", "mlp-bias"});
  CHECK(structure_text(structure) == text);
  CHECK(parse_structure("unknown").kind.empty());
}

TEST_CASE("additions to the block make it another architecture") {
  const auto built = [](const char* id) {
    return test::tensors_of(test::family_called(id)).model().architecture;
  };
  const Architecture llama = built("llama");
  for (const char* id : {"qwen2", "qwen3", "gemma2", "gpt2", "mixtral"}) {
    CAPTURE(id);
    CHECK_FALSE(same_architecture(llama, built(id)));
  }
  CHECK(architecture_differences(llama, built("qwen3")) ==
        Pairs{{"block additions", "none against qk-norm"}});
}

TEST_CASE("what one side does not know is not held against it, no structure is") {
  Architecture known = llama_7b();
  Architecture vague = known;
  vague.structure = "decoder/rmsnorm-pre/unknown/gated-unknown";
  CHECK(same_architecture(known, vague));
  vague.structure = "decoder/rmsnorm-pre/unknown/plain-unknown";
  CHECK_FALSE(same_architecture(known, vague));
  vague.structure = "unknown";
  CHECK_FALSE(same_architecture(known, vague));
  CHECK_FALSE(same_architecture(vague, vague));
  CHECK(architecture_differences(vague, known).empty());
}

TEST_CASE("the config's activation decides where tensors cannot") {
  ConfigFacts config;
  config.present = true;
  config.activation = "gelu_new";
  const Architecture gelu = test::llama().model(config).architecture;
  CHECK(gelu.activation == "gelu_new");
  CHECK(gelu.structure == "decoder/rmsnorm-pre/rope/gated-gelu");
  CHECK_FALSE(same_architecture(gelu, llama_7b()));
}

TEST_CASE("layers of one make are one line of the template, others follow") {
  test::NamedTensors tensors = test::llama(2);
  test::SizeTable narrow = test::small_sizes();
  narrow[Symbol::ffn] = 128;
  for (const StoredTensor& tensor :
       test::llama(1, narrow).drop("embed").drop("norm.w").drop("lm_").model().tensors) {
    std::string name = tensor.entry.name;
    tensors.add(name.replace(name.find(".0."), 3, ".2."), tensor.entry.shape);
  }
  const std::string text = tensors.model().architecture.layer_template;
  CHECK(text ==
        "2 × {attn.norm 96 · attn.q 96×96 · attn.k 48×96 · attn.v 48×96 · attn.o 96×96 · "
        "ffn.norm 96 · ffn.gate 256×96 · ffn.up 256×96 · ffn.down 96×256} + "
        "1 × {attn.q 96×96 · attn.k 48×96 · attn.v 48×96 · attn.o 96×96 · "
        "ffn.gate 128×96 · ffn.up 128×96 · ffn.down 96×128}");
}

TEST_CASE("embeddings are tied when the head is absent and nothing says otherwise") {
  const auto tied = [](const ConfigFacts& config) {
    return test::llama().drop("lm_head").model(config).architecture.tied_embeddings;
  };
  ConfigFacts config;
  CHECK(tied(config));
  config.present = true;
  CHECK_FALSE(tied(config));  // a LLaMA saved without its head
  config.tie_word_embeddings = true;
  CHECK(tied(config));
  CHECK_FALSE(test::llama().model(config).architecture.tied_embeddings);
}

TEST_CASE("the names Yi-6B was released with are read as Yi's") {
  const std::string folder =
      std::string(PEDIGREE_SHARED) + "/real/metadata/01-ai__Yi-6B__original-names/";
  const auto names = read_small_file(folder + "tensor_names_reconstructed.json", "names");
  if (!names) {
    MESSAGE("skipped: the shared material is not beside this checkout");
    return;
  }
  const auto document = parse_json(*names, "names");
  REQUIRE(document.has_value());
  std::vector<std::string> ours =
      test::tensors_of(test::family_called("yi"), 32, sizes(64000, 512)).names();
  std::vector<std::string> theirs;
  for (const JsonValue& name : document->root.find("names")->items) theirs.push_back(name.text);
  std::ranges::sort(ours);
  std::ranges::sort(theirs);
  CHECK(ours == theirs);
}

}  // namespace
}  // namespace pedigree
