// Sizes as published: Meta's params.json of LLaMA 1 to 3 and the width their code makes of it.
#include "model/params_json.h"

#include <doctest/doctest.h>

#include <string>

namespace pedigree {
namespace {

ConfigFacts facts_of(std::string_view text) {
  const auto document = parse_json(text, "params.json");
  REQUIRE(document.has_value());
  return params_facts(document->root, "params.json");
}

}  // namespace

TEST_CASE("the MLP's width of published models is worked out as Meta's code does") {
  // LLaMA 7B, Llama 2 70B, Llama 3 8B, Llama 3.1 405B: intermediate_size of their conversions.
  CHECK(facts_of(R"({"dim":4096,"multiple_of":256,"n_heads":32,"n_layers":32,"vocab_size":-1})")
            .ffn == 11008);
  CHECK(facts_of(R"({"dim":8192,"multiple_of":4096,"ffn_dim_multiplier":1.3,"n_layers":80})").ffn ==
        28672);
  CHECK(facts_of(R"({"dim":4096,"multiple_of":1024,"ffn_dim_multiplier":1.3,"n_layers":32})").ffn ==
        14336);
  CHECK(
      facts_of(R"({"dim":16384,"multiple_of":4096,"ffn_dim_multiplier":1.2,"n_layers":126})").ffn ==
      53248);
}

TEST_CASE("head counts, norms and the rotary base are read; -1 tokens means unknown") {
  const ConfigFacts facts = facts_of(
      R"({"dim":4096,"n_layers":32,"n_heads":32,"n_kv_heads":8,"vocab_size":-1,"multiple_of":1024,
          "ffn_dim_multiplier":1.3,"norm_eps":1e-05,"rope_theta":500000.0})");
  CHECK(facts.present);
  CHECK(facts.hidden == 4096);
  CHECK(facts.layers == 32);
  CHECK(facts.heads == 32);
  CHECK(facts.kv_heads == 8);
  CHECK(facts.norm_eps == 1e-05);
  CHECK(facts.rope_theta == 500000.0);
  CHECK_FALSE(facts.vocab.has_value());
  CHECK(facts.unusable.empty());
}

TEST_CASE("Mistral's form says width and head size itself") {
  const ConfigFacts facts = facts_of(
      R"({"dim":5120,"n_layers":40,"head_dim":128,"hidden_dim":14336,"n_heads":32,"n_kv_heads":8,
          "norm_eps":1e-05,"vocab_size":131072,"rope_theta":1000000.0})");
  CHECK(facts.ffn == 14336);
  CHECK(facts.head_dim == 128);
  CHECK(facts.vocab == 131072);
}

TEST_CASE("somebody else's params.json, and sizes that are none, give no facts") {
  CHECK_FALSE(facts_of(R"({"learning_rate":0.1})").present);
  CHECK_FALSE(facts_of(R"({"dim":-4,"n_layers":2})").present);
  CHECK_FALSE(facts_of(R"({"dim":18446744073709551615,"n_layers":2})").present);
  CHECK_FALSE(facts_of("[]").present);
  CHECK_FALSE(facts_of(R"({"dim":64,"n_layers":2,"multiple_of":0})").ffn.has_value());
  CHECK_FALSE(facts_of(R"({"dim":64,"n_layers":2,"multiple_of":8,"ffn_dim_multiplier":1e300})")
                  .ffn.has_value());
}

}  // namespace pedigree
