// Cards, configs and indexes as people published them, where the shared folder
// is at hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "model/config_facts.h"
#include "model/manifest_json.h"
#include "model/model.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

bool has_material(const std::string& folder) {
  if (fs::is_directory(fs::path(PEDIGREE_SHARED) / folder)) return true;
  MESSAGE("SKIPPED: the shared folder has no ", folder);
  return false;
}

std::unique_ptr<Model> opened(const std::string& name) {
  auto model = open_model((fs::path(PEDIGREE_SHARED) / name).string());
  REQUIRE_MESSAGE(model.has_value(), name);
  return std::move(*model);
}

ConfigFacts facts_of(const std::string& path) {
  const auto text = read_small_file((fs::path(PEDIGREE_SHARED) / path).string(), "config.json");
  REQUIRE(text.has_value());
  std::vector<Problem> problems;
  const auto root = parse_side_json(*text, "config.json", problems);
  REQUIRE(root.has_value());
  CHECK(problems.empty());
  return config_facts(*root, "config.json");
}

std::size_t count(const Model& model, std::string_view code) {
  return static_cast<std::size_t>(std::ranges::count(model.problems, code, &Problem::code));
}

}  // namespace

TEST_CASE("real cards and configs are read without a parsing problem") {
  if (!has_material("real/metadata")) return;
  std::size_t models = 0;
  for (const auto& folder : fs::directory_iterator(fs::path(PEDIGREE_SHARED) / "real/metadata")) {
    const std::string name = folder.path().filename().string();
    const auto model = opened("real/metadata/" + name);
    for (const std::string_view code : {"card-unparsed", "json-malformed", "json-number-range",
                                        "index-malformed", "tokenizer-malformed"}) {
      CHECK_MESSAGE(count(*model, code) == 0, name, ": ", code);
    }
    ++models;
  }
  CHECK(models >= 20);
}

TEST_CASE("a real merge's card and recipe name both parents") {
  if (!has_material("real/metadata")) return;
  const auto model = opened("real/metadata/YouriLalain__2PRYMMAL-Yi1.5-6B-SLERP");
  const auto said = [&](Claim::Kind kind, std::string_view key, std::string_view value,
                        std::string_view file, unsigned line) {
    return std::ranges::any_of(model->claims, [&](const Claim& claim) {
      return claim.kind == kind && claim.key == key && claim.value == value && claim.file == file &&
             claim.line == line;
    });
  };
  CHECK(said(Claim::Kind::base_model, "base_model[1]", "01-ai/Yi-1.5-6B", "README.md", 4));
  CHECK(said(Claim::Kind::merge_recipe, "slices[0].sources[1].model", "01-ai/Yi-1.5-6B",
             "mergekit_config.yml", 6));
  CHECK(said(Claim::Kind::license, "license", "apache-2.0", "README.md", 9));
  // The card's own copy of the recipe runs into prose inside its fence.
  CHECK(count(*model, "merge-recipe-unparsed") == 1);
}

TEST_CASE("real configs give the facts their models are known for") {
  if (!has_material("real/metadata")) return;
  const ConfigFacts yi =
      facts_of("real/metadata/01-ai__Yi-6B__original-names/config_reconstructed.json");
  CHECK(yi.hidden == 4096);
  CHECK(yi.kv_heads == 4);
  CHECK(yi.vocab == 64000);
  CHECK(yi.rope_theta == 5000000.0);
  const ConfigFacts scout =
      facts_of("real/metadata/meta-llama__Llama-4-Scout-17B-16E-Instruct/config.json");
  CHECK(scout.nested == "text_config");
  CHECK(scout.hidden == 5120);
  CHECK(scout.experts == 16);
  const ConfigFacts mixtral = facts_of("real/metadata/mistralai__Mixtral-8x7B-v0.1/config.json");
  CHECK(mixtral.experts == 8);
  CHECK(mixtral.experts_used == 2);
  const ConfigFacts qwen = facts_of("real/metadata/Qwen__Qwen3-235B-A22B-FP8/config.json");
  CHECK(qwen.quantization == "fp8");
  CHECK(qwen.head_dim == 128);
  CHECK(qwen.expert_ffn == 1536);
  const ConfigFacts falcon = facts_of("real/metadata/tiiuae__falcon-40b/config.json");
  CHECK(falcon.hidden == 8192);
  CHECK(falcon.auto_map);
}

TEST_CASE("a real directory without its shards names them once and claims the rest") {
  if (!has_material("real/metadata")) return;
  const auto model = opened("real/metadata/Qwen__Qwen-72B");
  CHECK(count(*model, "index-missing-shard") == 1);
  CHECK(count(*model, "no-weights") == 1);
  CHECK(count(*model, "remote-code") == 2);
}

TEST_CASE("the corpus tokenizer has the digests an independent reader computes") {
  if (!has_material("corpus/family")) return;
  const auto model = opened("corpus/family/A");
  REQUIRE(model->tokenizer.has_value());
  CHECK(model->tokenizer->tokens.size() == 768);
  CHECK(model->tokenizer->merges == 512);
  CHECK(model->tokenizer->spelling == "byte-level");
  CHECK(model->tokenizer->vocabulary_digest ==
        "030abd3c58b2b20a082738f39fabe1435b2cbb95b6843324777c7865e29e7e01");
  CHECK(model->tokenizer->merges_digest ==
        "48465bff583c307a52c2de13c4dd068fc5e81b89751a9ef93045d55b19ccbb13");
}

}  // namespace pedigree
