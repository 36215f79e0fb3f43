// H0 over real folders: every file of a model has one, wherever it lies.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "base/digest.h"
#include "fingerprint/digests.h"
#include "model/model.h"
#include "tests/support/model_directory.h"
#include "tests/support/torch_builder.h"

namespace pedigree {
namespace {

const DigestOptions only_files = {.h0 = true, .h1 = false};
const std::string commit(40, 'c');

std::unique_ptr<Model> opened(const std::string& path) {
  auto model = open_model(path);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return std::move(*model);
}

ModelDigests digests_of(const Model& model) {
  auto digests = digest_model(model, only_files);
  REQUIRE_MESSAGE(digests.has_value(), digests.error().message);
  return std::move(*digests);
}

std::string sha256_of(std::string_view text) { return to_hex(sha256(text)); }

// "path=digest " of every file but the weights.
std::string beside_weights(const ModelDigests& digests) {
  std::string text;
  for (const FileDigest& file : digests.files) {
    if (!file.path.ends_with(".safetensors")) text += file.path + "=" + file.sha256 + " ";
  }
  return text;
}

}  // namespace

TEST_CASE("files beside the weights of a hub-cache repository have an H0") {
  ModelDirectory directory("models--org--name");
  const std::string snapshot = "snapshots/" + commit + "/";
  directory.write("refs/main", commit)
      .write("blobs/" + std::string(40, 'b'), "{}")
      .weights("blobs/" + std::string(64, 'a'), {"x"})
      .link(snapshot + "config.json", "../../blobs/" + std::string(40, 'b'))
      .link(snapshot + "model.safetensors", "../../blobs/" + std::string(64, 'a'))
      .write(snapshot + "sub/notes.txt", "notes");
  const std::string expected =
      "config.json=" + sha256_of("{}") + " sub/notes.txt=" + sha256_of("notes") + " ";
  for (const std::string& given : {directory.path(), directory.path("snapshots/" + commit)}) {
    const ModelDigests digests = digests_of(*opened(given));
    CHECK(beside_weights(digests) == expected);
    CHECK(digests.files.size() == 3);
    CHECK(digests.problems.empty());
  }
}

TEST_CASE("files beside an index that was given have an H0") {
  ModelDirectory directory;
  directory.sharded({{"a"}, {"b"}}).write("config.json", "{}");
  const std::string index = "model.safetensors.index.json";
  const ModelDigests digests = digests_of(*opened(directory.path(index)));
  REQUIRE(digests.files.size() == 4);
  CHECK(digests.files[0].path == "config.json");
  CHECK(digests.files[0].sha256 == sha256_of("{}"));
  CHECK(digests.files[3].path == index);
}

TEST_CASE("a file whose name is no UTF-8 has an H0 under its escaped name") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"x"}).write("caf\xE9.txt", "coffee");
  CHECK(beside_weights(digests_of(*opened(directory.path()))) ==
        "caf%E9.txt=" + sha256_of("coffee") + " ");
}

TEST_CASE("a file beside the weights that cannot be opened leaves the others their H0") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"x"}).write("a.txt", "a").write("b.txt", "b");
  const auto model = opened(directory.path());
  std::filesystem::remove(directory.path("a.txt"));
  const ModelDigests digests = digests_of(*model);
  CHECK(beside_weights(digests) == "b.txt=" + sha256_of("b") + " ");
  REQUIRE(digests.problems.size() == 1);
  CHECK(digests.problems[0].code == "io-error");
  CHECK(digests.problems[0].file == "a.txt");
}

TEST_CASE("a file whose tensors are put in order has one H0, and H1 is that of the order") {
  using namespace made_pickle;
  const std::string held = storage("0", 6);
  const std::string content =
      made_torch_zip(whole(mapping({{"plain", tensor(held, 0, {2, 3}, {3, 1})},
                                    {"turned", tensor(held, 0, {3, 2}, {1, 3})}})),
                     {made_floats({0, 1, 2, 3, 4, 5})});
  ModelDirectory directory;
  directory.write("pytorch_model.bin", content);
  const auto digests = digest_model(*opened(directory.path()), {.h0 = true, .h1 = true});
  REQUIRE(digests.has_value());
  REQUIRE(digests->files.size() == 1);
  CHECK(digests->files[0].sha256 == sha256_of(content));
  REQUIRE(digests->tensors.size() == 2);
  CHECK(digests->tensors[0].h1 == "h1/1:sha256:" + sha256_of(made_floats({0, 1, 2, 3, 4, 5})));
  CHECK(digests->tensors[1].h1 == "h1/1:sha256:" + sha256_of(made_floats({0, 3, 1, 4, 2, 5})));
}

}  // namespace pedigree
