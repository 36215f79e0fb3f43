#include "model/families.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/files.h"
#include "model/families_names.h"
#include "tests/unit/model/architecture_models.h"

namespace pedigree {

namespace {

constexpr std::string_view small_family = R"({
  "schema": "pedigree-architecture/1", "id": "tiny", "title": "Tiny",
  "structure": "decoder/rmsnorm-pre/rope/gated-silu", "model_types": ["tiny"],
  "layer_path": "blocks.{L}.",
  "before": [{"name": "emb.weight", "role": "embed.tokens", "shape": ["vocab", "hidden"]}],
  "layer": [{"name": "qkv.weight", "shape": ["hidden", "q+2kv"], "transpose": true,
             "parts": [{"role": "attn.q", "rows": "q"}, {"role": "attn.k", "rows": "kv"},
                       {"role": "attn.v", "rows": "kv"}]}],
  "after": [], "ignorable": ["mask"], "layer_ignorable": ["inv_freq"]
})";

std::string changed(std::string_view from, std::string_view to) {
  std::string text(small_family);
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string complaint(const std::string& text) {
  const Result<Family> family = parse_family(text, "tiny");
  return family ? "" : family.error().message;
}

nlohmann::json schema_document() {
  const auto text = read_small_file(
      std::string(PEDIGREE_FIXTURES) + "/../schemas/architecture-1.schema.json", "schema");
  REQUIRE(text.has_value());
  return nlohmann::json::parse(*text);
}

bool validates(const nlohmann::json& document) {
  const nlohmann::json schema_json = schema_document();
  valijson::Schema schema;
  valijson::SchemaParser parser;
  const valijson::adapters::NlohmannJsonAdapter schema_adapter(schema_json);
  parser.populateSchema(schema_adapter, schema);
  valijson::Validator validator;
  const valijson::adapters::NlohmannJsonAdapter target(document);
  return validator.validate(schema, target, nullptr);
}

TEST_CASE("every embedded family satisfies the schema of architectures") {
  CHECK(embedded_model().size() >= 50);
  for (const EmbeddedFile& file : embedded_model()) {
    CAPTURE(std::string(file.name));
    CHECK(validates(nlohmann::json::parse(file.text())));
  }
}

TEST_CASE("the schema refuses what the parser refuses") {
  nlohmann::json family = nlohmann::json::parse(small_family);
  CHECK(validates(family));
  family["layer"][0]["role"] = "attn.q";  // fused and not
  CHECK_FALSE(validates(family));
  family["layer"][0].erase("role");
  family["before"][0]["shape"][0] = "vocabulary";
  CHECK_FALSE(validates(family));
}

TEST_CASE("a family file is read with its layer path before the layer's names") {
  const Result<Family> family = parse_family(small_family, "tiny");
  REQUIRE(family.has_value());
  REQUIRE(family->tensors.size() == 2);
  const FamilyTensor& fused = family->tensors[1];
  CHECK(fused.name == "blocks.{L}.qkv.weight");
  CHECK(fused.in_layer);
  CHECK(fused.transpose);
  CHECK_FALSE(fused.per_expert);
  REQUIRE(fused.parts.size() == 3);
  CHECK(fused.parts[1].role == "attn.k");
  REQUIRE(fused.shape[1].size() == 2);
  CHECK(fused.shape[1][1].coefficient == 2);
  CHECK(fused.shape[1][1].symbol == Symbol::kv);
  CHECK(family->ignorable == std::vector<std::string>{"mask", "blocks.{L}.inv_freq"});
}

TEST_CASE("a mistake in a family file is named") {
  CHECK(complaint(changed("\"title\"", "\"titel\"")) == "unknown key titel");
  CHECK(complaint(changed("\"tiny\", \"title\"", "7, \"title\"")) == "no id of the right kind");
  CHECK(complaint(changed("architecture/1", "architecture/2")) == "schema is not ours");
  CHECK(complaint(changed("[\"vocab\"", "[\"vocabulary\"")) == "unknown size vocabulary");
  CHECK(complaint(changed("+2kv", "+0kv")) == "bad factor in a shape");
  CHECK(complaint(changed("+2kv", "+")) == "unknown size ");
  CHECK(complaint(changed("blocks.{L}.", "blocks.")) == "layer_path does not end in {L}.");
  CHECK(complaint(changed("[\"vocab\", \"hidden\"]", "[]")) == "a shape of rank 1 to 5 is needed");
  CHECK(complaint(changed("\"role\": \"embed.tokens\", ", "")) == "a role or parts, not both");
  CHECK(complaint(changed("\"transpose\": true", "\"turns\": \"often\"")) == "unknown turns often");
  CHECK(complaint("{") != "");
  CHECK(complaint("[]") == "an object was expected");
}

TEST_CASE("numbers in names that are no layer's have to be as written") {
  const ModelInfo info = test::tensors_of(test::family_called("t5"), 2).model();
  const auto roles = test::roles_by_name(info);
  CHECK(roles.at("encoder.block.1.layer.0.layer_norm.weight") == "attn.norm/1");
  CHECK(roles.at("encoder.block.1.layer.1.layer_norm.weight") == "ffn.norm/1");
  CHECK(roles.at("decoder.block.0.layer.1.layer_norm.weight") == "cross.norm/2");
  CHECK(roles.at("decoder.block.1.layer.2.layer_norm.weight") == "ffn.norm/3");
  CHECK(info.architecture.layers == 4);
}

TEST_CASE("each structure has exactly one family that renames are told against") {
  std::map<std::string, int> references;
  for (const Family& family : families()) {
    references[family.structure] += family.reference ? 1 : 0;
  }
  for (const auto& [structure, count] : references) {
    CAPTURE(structure);
    CHECK(count == 1);
  }
  CHECK(reference_family("decoder/rmsnorm-pre/rope/gated-silu")->id == "llama");
  CHECK(reference_family("nothing") == nullptr);
}

TEST_CASE("a model with a family's own names is recognised whole and shows its structure") {
  for (const Family& family : families()) {
    CAPTURE(family.id);
    ConfigFacts config;
    config.model_type = family.model_types.front();
    if (test::takes_turns(family)) {
      config.heads = 4;
      if (test::uses(family, Symbol::kv)) config.kv_heads = 2;
    }
    const ModelInfo info = test::tensors_of(family).model(config);
    CHECK(info.architecture.family == family.id);
    CHECK(info.architecture.explained == 1.0);
    CHECK(info.architecture.structure == family.structure);
    CHECK(info.architecture.layers == 4 * test::stacks_of(family));
    CHECK(info.problems.empty());
    CHECK(test::roles_by_name(info).size() == info.tensors.size());
  }
}

TEST_CASE("wrappers come off names at the front and inside, numbers become places") {
  const CoreName name = core_name("module.model._orig_mod.layers.12.mlp.up_proj.base_layer.weight");
  CHECK(name.core == "layers.{}.mlp.up_proj.weight");
  CHECK(name.numbers == std::vector<int>{12});
  CHECK(wrapper_of(name, core_name("model.layers.0.mlp.up_proj.weight")) ==
        "module._orig_mod.base_layer.");
  CHECK(core_name("model").core == "model");
  CHECK(core_name("h.123456.x").core == "h.123456.x");
  CHECK(core_name("encoder.layers.0.x").core == "encoder.layers.{}.x");
  CHECK(core_name("").core.empty());
}

}  // namespace
}  // namespace pedigree
