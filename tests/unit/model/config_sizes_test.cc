#include "model/config_sizes.h"

#include <doctest/doctest.h>

#include <string>

#include "base/json.h"

namespace pedigree {
namespace {

ConfigFacts facts(std::string_view text) {
  auto document = parse_json(text, "config.json");
  REQUIRE(document.has_value());
  return config_facts(document->root, "config.json");
}

Family family_with(std::vector<std::pair<Symbol, std::string>> rules) {
  Family family;
  family.config_sizes = std::move(rules);
  return family;
}

}  // namespace

TEST_CASE("usual keys give sizes without a rule") {
  const Family family;
  const ConfigFacts config = facts(
      R"({"hidden_size":64,"num_attention_heads":8,"num_key_value_heads":2,"intermediate_size":96})");
  const ConfigSizes sizes(family, config);
  CHECK(sizes.find(Symbol::hidden, "") == 64);
  CHECK(sizes.find(Symbol::head_dim, "") == 8);
  CHECK(sizes.find(Symbol::q, "") == 64);
  CHECK(sizes.find(Symbol::kv, "") == 16);
  CHECK(sizes.find(Symbol::ffn, "ffn.up") == 96);
  CHECK(sizes.find(Symbol::q_rank, "") == std::nullopt);
  CHECK(sizes.evaluate({{1, Symbol::q}, {2, Symbol::kv}}, "attn.q") == 96);
  CHECK(sizes.evaluate({{1, Symbol::q}, {1, Symbol::vocab}}, "attn.q") == std::nullopt);
}

TEST_CASE("experts have a width of their own where the config gives one") {
  const Family family;
  const ConfigFacts config = facts(
      R"({"hidden_size":64,"intermediate_size":256,"moe_intermediate_size":32,"n_shared_experts":2})");
  const ConfigSizes sizes(family, config);
  CHECK(sizes.find(Symbol::ffn, "moe.up") == 32);
  CHECK(sizes.find(Symbol::ffn, "ffn.up") == 256);
  CHECK(sizes.find(Symbol::shared_ffn, "moe.shared.up") == 64);
}

TEST_CASE("rules are tried in order, and one that asks for what is not said gives way") {
  const Family family = family_with(
      {{Symbol::ffn, "n_inner"}, {Symbol::ffn, "4*@hidden"}, {Symbol::positions, "n_ctx+2"}});
  const ConfigFacts said = facts(R"({"n_embd":64,"n_inner":100,"n_ctx":10})");
  CHECK(ConfigSizes(family, said).find(Symbol::ffn, "ffn.up") == 100);
  CHECK(ConfigSizes(family, said).find(Symbol::positions, "") == 12);
  const ConfigFacts silent = facts(R"({"n_embd":64,"n_inner":null})");
  CHECK(ConfigSizes(family, silent).find(Symbol::ffn, "ffn.up") == 256);
}

TEST_CASE("a divisor that leaves a rest gives no size") {
  const Family family = family_with({{Symbol::ffn, "wide/2"}});
  CHECK(ConfigSizes(family, facts(R"({"wide":100})")).find(Symbol::ffn, "") == 50);
  CHECK(ConfigSizes(family, facts(R"({"wide":101})")).find(Symbol::ffn, "") == std::nullopt);
}

TEST_CASE("sizes beyond reason are none, however they come about") {
  const Family family = family_with({{Symbol::ffn, "wide*wide*wide"}});
  const ConfigFacts config =
      facts(R"({"wide":4000000000,"hidden_size":18446744073709551615,"num_attention_heads":2})");
  const ConfigSizes sizes(family, config);
  CHECK(sizes.find(Symbol::ffn, "") == std::nullopt);
  CHECK(sizes.find(Symbol::hidden, "") == std::nullopt);
  CHECK(sizes.find(Symbol::q, "") == std::nullopt);
}

TEST_CASE("the decoder's own object is asked before the whole config") {
  const Family family;
  const ConfigFacts config =
      facts(R"({"q_lora_rank":7,"text_config":{"hidden_size":64,"q_lora_rank":28}})");
  CHECK(ConfigSizes(family, config).find(Symbol::q_rank, "") == 28);
}

TEST_CASE("which layers have no experts is read from every way configs say it") {
  const Family family;
  const auto dense = [&](std::string_view text, std::uint64_t layer) {
    const ConfigFacts config = facts(text);
    return is_dense_layer(ConfigSizes(family, config), layer);
  };
  CHECK(dense(R"({"first_k_dense_replace":3})", 2));
  CHECK_FALSE(dense(R"({"first_k_dense_replace":3})", 3));
  CHECK(dense(R"({"decoder_sparse_step":2})", 0));
  CHECK_FALSE(dense(R"({"decoder_sparse_step":2})", 1));
  CHECK(dense(R"({"mlp_only_layers":[0,4]})", 4));
  CHECK_FALSE(dense(R"({"mlp_only_layers":[0,4]})", 1));
  CHECK_FALSE(dense("{}", 0));
}

TEST_CASE("a rule of the wrong form is named") {
  CHECK(rule_fault("4*@hidden").empty());
  CHECK(rule_fault("attn_config.kv_n_heads/2+1").empty());
  CHECK_FALSE(rule_fault("").empty());
  CHECK_FALSE(rule_fault("4*@nothing").empty());
  CHECK_FALSE(rule_fault("n_inner/0").empty());
  CHECK_FALSE(rule_fault("n_inner+x").empty());
  CHECK_FALSE(rule_fault("Not A Key").empty());
}

}  // namespace pedigree
