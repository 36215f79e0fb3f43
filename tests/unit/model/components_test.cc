// Pipelines and folders of models: which folders count, and that links stay inside.
#include "model/components.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

constexpr const char* weights = "diffusion_pytorch_model.safetensors";
constexpr const char* index =
    R"({"_class_name":"P","text_encoder":[null,null],"unet":["diffusers","U"],"vae":["diffusers","V"]})";

std::string names_of(const Components& found) {
  std::string names;
  for (const Component& component : found.components) names += component.name + " ";
  return names;
}

}  // namespace

TEST_CASE("a component that is a link out of the pipeline is told and left out") {
  ModelDirectory outside;
  outside.weights(weights, {"a"});
  ModelDirectory pipeline;
  pipeline.write("model_index.json", index)
      .weights(std::string("vae/") + weights, {"b"})
      .link("unet", outside.path());
  const auto found = find_pipeline(pipeline.path());
  REQUIRE(found.has_value());
  CHECK(names_of(*found) == "vae ");
  CHECK(found->others.empty());
  REQUIRE(found->problems.size() == 1);
  CHECK(found->problems[0].code == "symlink-escape");
  CHECK(found->problems[0].file == "unet");
}

TEST_CASE("a component that is a link within the pipeline is followed") {
  ModelDirectory pipeline;
  pipeline.write("model_index.json", index)
      .weights(std::string("parts/unet/") + weights, {"a"})
      .weights(std::string("vae/") + weights, {"b"})
      .link("unet", "parts/unet");
  const auto found = find_pipeline(pipeline.path());
  REQUIRE(found.has_value());
  CHECK(names_of(*found) == "unet vae ");
  CHECK(found->problems.empty());
}

TEST_CASE("components of a snapshot may lie anywhere in its repository and nowhere else") {
  ModelDirectory cache;
  const std::string repository = "models--o--p/";
  const std::string snapshot = repository + "snapshots/0123/";
  cache.write(repository + "blobs/index", index)
      .weights(repository + "blobs/parts/" + weights, {"a"})
      .weights(std::string("other/") + weights, {"b"})
      .folder(snapshot)
      .link(snapshot + "model_index.json", "../../blobs/index")
      .link(snapshot + "unet", "../../blobs/parts")
      .link(snapshot + "vae", "../../../other");
  for (const std::string& path : {cache.path(repository), cache.path(snapshot)}) {
    const auto found = find_pipeline(path);
    REQUIRE(found.has_value());
    CHECK(names_of(*found) == "unet ");
    REQUIRE(found->problems.size() == 1);
    CHECK(found->problems[0].file == "vae");
  }
}

TEST_CASE("an index that is a link out of the pipeline is not read") {
  ModelDirectory outside;
  outside.write("model_index.json", index);
  ModelDirectory pipeline;
  pipeline.weights(std::string("vae/") + weights, {"b"})
      .link("model_index.json", outside.path("model_index.json"));
  CHECK_FALSE(find_pipeline(pipeline.path()).has_value());
}

TEST_CASE("folders of models and repositories of a cache are not followed out of it") {
  ModelDirectory outside;
  outside.write("config.json", "{}").weights("model.safetensors", {"a"});
  ModelDirectory models;
  for (const std::string name : {"one/", "two/"}) {
    models.write(name + "config.json", "{}").weights(name + "model.safetensors", {"a"});
  }
  models.link("three", outside.path());
  const auto folders = find_components(models.path());
  REQUIRE(folders.has_value());
  CHECK(names_of(*folders) == "one two ");
  REQUIRE(folders->problems.size() == 1);
  CHECK(folders->problems[0].code == "symlink-escape");
  CHECK(folders->problems[0].file == "three");

  outside.folder("models--o--z/snapshots/0");
  ModelDirectory cache;
  cache.folder("models--o--a/snapshots/0").folder("models--o--b/snapshots/0");
  cache.link("models--o--z", outside.path("models--o--z"));
  const auto repositories = find_components(cache.path());
  REQUIRE(repositories.has_value());
  CHECK(names_of(*repositories) == "o/a o/b ");
  REQUIRE(repositories->problems.size() == 1);
  CHECK(repositories->problems[0].code == "symlink-escape");
}

}  // namespace pedigree
