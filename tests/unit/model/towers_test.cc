#include "model/towers.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "model/model.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

std::vector<StoredTensor> named(const std::vector<std::string>& names) {
  std::vector<StoredTensor> tensors;
  tensors.reserve(names.size());
  for (const std::string& name : names) tensors.push_back({.entry = {.name = name}});
  return tensors;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a vision tower beside other tensors makes several models") {
  CHECK(towers_of(named({"language_model.model.norm.weight", "vision_tower.encoder.x",
                         "multi_modal_projector.linear_1.weight"})) ==
        Names{"language_model", "projector", "vision_tower"});
  CHECK(towers_of(named({"model.layers.0.x", "visual.blocks.0.x"})) ==
        Names{"language_model", "vision_tower"});
  CHECK(towers_of(named({"audio_tower.x", "language_model.x"})) ==
        Names{"audio_tower", "language_model"});
}

TEST_CASE("a pipeline in one file is its models, and its tables are none") {
  CHECK(towers_of(named({"model.diffusion_model.x", "first_stage_model.x", "cond_stage_model.x",
                         "alphas_cumprod"})) == Names{"text_encoder", "unet", "vae"});
}

TEST_CASE("one model is not taken apart") {
  CHECK(towers_of(named({"model.layers.0.x", "lm_head.weight"})).empty());
  CHECK(towers_of(named({"text_model.x", "vision_model.x"})).empty());            // CLIP
  CHECK(towers_of(named({"logit_scale", "transformer.x", "visual.x"})).empty());  // OpenCLIP
  CHECK(towers_of(named({"vision_tower.x"})).empty());
  CHECK(towers_of(named({"connector.x", "model.x"})).empty());
  CHECK(towers_of({}).empty());
  CHECK(parts_of(named({"text_model.x", "vision_model.x"})) == Names{"vision_tower"});
}

TEST_CASE("a part is what stands behind the last two colons") {
  using Parts = std::pair<std::string, std::string>;
  CHECK(split_part("a/b::vision_tower") == Parts{"a/b", "vision_tower"});
  CHECK(split_part("a/b") == Parts{"a/b", ""});
  CHECK(split_part("a::b/c") == Parts{"a::b/c", ""});
  CHECK(split_part("::x") == Parts{"::x", ""});
  CHECK(split_part("a::") == Parts{"a::", ""});
}

TEST_CASE("a part has its own tensors, names, sizes and config, and no claims of the whole") {
  ModelDirectory directory;
  SafetensorsBuilder builder;
  builder.tensor("model.vision_tower.encoder.w", "F32", {2}, std::string(8, 'x'));
  builder.tensor("model.vision_tower.vision_model.embeddings.w", "F32", {1}, std::string(4, 'x'));
  builder.tensor("model.language_model.norm.weight", "BF16", {3}, std::string(6, 'x'));
  builder.tensor("lm_head.weight", "BF16", {1}, std::string(2, 'x'));
  directory.write("model.safetensors", builder.build());
  directory.write("README.md", "---\nbase_model: org/base\n---\n");
  const auto vision = open_model(directory.path(), {.part = "vision_tower"});
  REQUIRE(vision.has_value());
  REQUIRE((*vision)->tensors.size() == 2);
  CHECK((*vision)->tensors[0].entry.name == "vision_model.embeddings.w");
  CHECK((*vision)->tensors[1].entry.name == "vision_model.encoder.w");
  CHECK((*vision)->weight_bytes == 12);
  CHECK((*vision)->parameters == 3);
  CHECK((*vision)->claims.empty());
  const auto text = open_model(directory.path(), {.part = "language_model"});
  REQUIRE(text.has_value());
  CHECK((*text)->parameters == 4);
  CHECK_FALSE((*text)->claims.empty());
  const auto none = open_model(directory.path(), {.part = "ear"});
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().message == "it has no \"ear\"; its parts are language_model, vision_tower");
}

}  // namespace pedigree
