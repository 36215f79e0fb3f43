#include "model/layout_image.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "model/model.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

std::string digest_of(std::string_view text) { return "sha256:" + to_hex(sha256(text)); }

std::string layer(std::string_view kind, std::string_view digest, std::string_view more = "") {
  return fmt::format(
      R"({{"mediaType":"application/vnd.ollama.image.{}","digest":"{}","size":1{}}})", kind, digest,
      more);
}

std::string manifest_of(std::string_view layers) {
  return fmt::format(R"({{"schemaVersion":2,"layers":[{}]}})", layers);
}

std::size_t count(const Model& model, std::string_view code) {
  return static_cast<std::size_t>(std::ranges::count(model.problems, code, &Problem::code));
}

constexpr const char* place = "manifests/registry.ollama.ai/library/tiny/latest";

}  // namespace

TEST_CASE("a manifest's layers are found by digest and named for what they are") {
  ModelDirectory directory;
  const std::string blob = "{{ .Prompt }}";
  directory.write("blobs/sha256-" + to_hex(sha256(blob)), blob);
  directory.write(place, manifest_of(layer("template", digest_of(blob)) + "," +
                                     layer("license", digest_of(blob)) + "," +
                                     layer("license", digest_of(blob)) + "," +
                                     layer("model", digest_of("not there"))));
  const auto model = open_model(directory.path(place));
  REQUIRE(model.has_value());
  CHECK((*model)->name == "tiny:latest");
  REQUIRE((*model)->files.size() == 3);
  CHECK((*model)->files[0].path == "license");
  CHECK((*model)->files[1].path == "license-2");
  CHECK((*model)->files[2].path == "template");
  CHECK((*model)->files[2].expected_sha256 == to_hex(sha256(blob)));
  CHECK(count(**model, "image-blob-missing") == 1);
  CHECK(count(**model, "card-missing") == 0);
}

TEST_CASE("a numbered name is not one that another layer says") {
  ModelDirectory directory;
  std::string layers;
  const auto add = [&](const std::string& blob, const std::string& more) {
    directory.write("blobs/sha256-" + to_hex(sha256(blob)), blob);
    if (!layers.empty()) layers += ",";
    layers += layer("license", digest_of(blob), more);
  };
  const auto listed = [&] {
    directory.write(place, manifest_of(layers));
    const auto model = open_model(directory.path(place));
    REQUIRE(model.has_value());
    std::string names;
    for (const ModelFile& file : (*model)->files) {
      names += file.path + "=" + file.expected_sha256.value_or("none").substr(0, 4) + " ";
    }
    return std::pair(names, count(**model, "manifest-malformed"));
  };
  const auto digits = [](std::string_view blob) { return to_hex(sha256(blob)).substr(0, 4); };

  add("a", R"(,"name":"license-2")");
  add("b", "");
  add("c", "");
  add("d", R"(,"name":"license-4")");
  add("e", "");
  const std::string named = fmt::format("license={} license-2={} license-3={} license-4={} ",
                                        digits("b"), digits("a"), digits("c"), digits("d"));
  const std::string numbered = fmt::format("license-5={} ", digits("e"));
  CHECK(listed() == std::pair(named + numbered, std::size_t{0}));

  // A name that is said belongs to the first that says it, wherever that stands.
  layers.clear();
  add("a", "");
  add("b", R"(,"name":"license")");
  CHECK(listed() == std::pair(fmt::format("license={} license-2={} ", digits("b"), digits("a")),
                              std::size_t{0}));
}

TEST_CASE("layers of different bytes that say one name are told, and each is listed") {
  ModelDirectory directory;
  directory.weights("one", {"a.weight"})
      .weights("two", {"b.weight"})
      .weights("three", {"c.weight"});
  std::string layers;
  const auto add = [&](const char* file, std::string_view name) {
    const auto text = read_small_file(directory.path(file), file);
    REQUIRE(text.has_value());
    directory.write("blobs/sha256-" + to_hex(sha256(*text)), *text);
    if (!layers.empty()) layers += ",";
    layers += layer("x", digest_of(*text), fmt::format(R"(,"name":"{}")", name));
  };
  add("one", "model-2.safetensors");
  add("two", "model.safetensors");
  add("three", "model.safetensors");
  directory.write(place, manifest_of(layers));
  const auto model = open_model(directory.path(place));
  REQUIRE(model.has_value());
  CHECK(count(**model, "manifest-malformed") == 1);
  std::vector<std::string> names;
  for (const ModelFile& file : (*model)->files) {
    if (file.path.ends_with(".safetensors")) names.push_back(file.path);
  }
  std::ranges::sort(names);
  CHECK(names == std::vector<std::string>{"model-2.safetensors", "model-3.safetensors",
                                          "model.safetensors"});
}

TEST_CASE("a digest that is none, or leads elsewhere, is refused with the layer's line") {
  for (const std::string_view digest :
       {"sha256:../../../etc/passwd", "md5:00", "", "sha256:00", "../x"}) {
    CAPTURE(std::string(digest));
    const auto image = parse_image_manifest(manifest_of(layer("model", digest)), "latest");
    REQUIRE_FALSE(image.has_value());
    CHECK(image.error().code == "manifest-malformed");
    CHECK(image.error().line == 1);
  }
  CHECK_FALSE(parse_image_manifest("{}", "latest").has_value());
  CHECK_FALSE(parse_image_manifest("[", "latest").has_value());
  CHECK_FALSE(parse_image_manifest(R"({"layers":{}})", "latest").has_value());
}

TEST_CASE("a layer's name that leads out of a folder is not used") {
  const auto image = parse_image_manifest(
      manifest_of(layer("tensor", digest_of("x"), R"(,"name":"../../x")") + "," +
                  layer("json", digest_of("x"), R"(,"name":"config.json")")),
      "latest");
  REQUIRE(image.has_value());
  CHECK(image->layers[0].name.empty());
  CHECK(image->layers[1].name == "config.json");
}

TEST_CASE("a blob that is a link out of the store is not followed") {
  ModelDirectory directory;
  const std::string digest = to_hex(sha256("x"));
  directory.folder("blobs").link("blobs/sha256-" + digest, "/etc/passwd");
  directory.write(place, manifest_of(layer("model", "sha256:" + digest)));
  const auto model = open_model(directory.path(place));
  REQUIRE(model.has_value());
  CHECK((*model)->files.empty());
  CHECK(count(**model, "image-blob-missing") == 1);
}

TEST_CASE("a store of several models, or of none, asks for one") {
  ModelDirectory directory;
  directory.folder("blobs").folder("manifests");
  const auto refused = [&] {
    const auto model = open_model(directory.path());
    REQUIRE_FALSE(model.has_value());
    return model.error().message;
  };
  CHECK(refused() == "this store holds no model");
  directory.write("manifests/h/n/a/latest", manifest_of("")).write("manifests/h/n/b/1", "{}");
  CHECK(refused() ==
        "this store holds 2 models; name a manifest: manifests/h/n/a/latest, manifests/h/n/b/1");
}

TEST_CASE("layers of tensors are read by the names inside them") {
  ModelDirectory directory;
  directory.weights("one", {"a.weight"}).weights("two", {"b.weight"});
  std::string layers;
  for (const char* name : {"one", "two"}) {
    const auto text = read_small_file(directory.path(name), name);
    REQUIRE(text.has_value());
    directory.write("blobs/sha256-" + to_hex(sha256(*text)), *text);
    if (!layers.empty()) layers += ",";
    layers += layer("tensor", digest_of(*text), fmt::format(R"(,"name":"{}")", name));
  }
  directory.write(place, manifest_of(layers));
  const auto model = open_model(directory.path(place));
  REQUIRE(model.has_value());
  REQUIRE((*model)->tensors.size() == 2);
  CHECK((*model)->tensors[1].entry.name == "b.weight");
}

}  // namespace pedigree
