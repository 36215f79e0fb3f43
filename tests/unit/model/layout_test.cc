#include "model/layout.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "model/model.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

constexpr std::string_view commit = "0123456789abcdef0123456789abcdef01234567";

// A cache repository with one snapshot of a one-tensor model.
void fill_repository(ModelDirectory& directory) {
  const std::string blob(64, 'a');
  directory.weights("blobs/" + blob, {"a"});
  directory.write("blobs/" + std::string(40, 'b'), "{}");
  const std::string snapshot = "snapshots/" + std::string(commit) + "/";
  directory.link(snapshot + "model.safetensors", "../../blobs/" + blob);
  directory.link(snapshot + "config.json", "../../blobs/" + std::string(40, 'b'));
  directory.write("refs/main", std::string(commit) + "\n");
}

std::unique_ptr<Model> opened(const std::string& path, const OpenOptions& options = {}) {
  auto model = open_model(path, options);
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  return std::move(*model);
}

std::string refusal(const std::string& path, const OpenOptions& options = {}) {
  const auto model = open_model(path, options);
  return model ? "opened" : model.error().code;
}

const Problem* find(const Model& model, std::string_view code) {
  const auto at = std::ranges::find(model.problems, code, &Problem::code);
  return at == model.problems.end() ? nullptr : &*at;
}

}  // namespace

TEST_CASE("a hub-cache repository is its main snapshot, and blob names are expected digests") {
  ModelDirectory directory("models--org--name");
  fill_repository(directory);
  const auto model = opened(directory.path());
  CHECK(model->name == "org/name");
  REQUIRE(model->tensors.size() == 1);
  REQUIRE(model->files.size() == 2);
  CHECK(model->files[0].path == "config.json");
  CHECK(model->files[0].expected_git_sha1 == std::string(40, 'b'));
  CHECK_FALSE(model->files[0].expected_sha256.has_value());
  CHECK(model->files[1].expected_sha256 == std::string(64, 'a'));
  CHECK(model->files[1].expected_from == "hub-cache blob");
  CHECK(find(*model, "symlink-escape") == nullptr);
}

TEST_CASE("a snapshot given by itself may lead to its repository's blobs") {
  ModelDirectory directory("models--org--name");
  fill_repository(directory);
  const auto model = opened(directory.path("snapshots/" + std::string(commit)));
  CHECK(model->name == "org/name");
  CHECK(model->tensors.size() == 1);
  CHECK(find(*model, "symlink-escape") == nullptr);
}

TEST_CASE("a revision may be a ref or a commit, and one that is not there is refused") {
  ModelDirectory directory("models--org--name");
  fill_repository(directory);
  directory.write("refs/v1", commit);
  CHECK(opened(directory.path(), {.revision = "v1"})->tensors.size() == 1);
  CHECK(opened(directory.path(), {.revision = std::string(commit)})->tensors.size() == 1);
  CHECK(refusal(directory.path(), {.revision = "v2"}) == "not-a-model");
  CHECK(refusal(directory.path(), {.revision = "../../../etc"}) == "not-a-model");
  directory.write("refs/main", "../../elsewhere");
  CHECK(refusal(directory.path()) == "not-a-model");
}

TEST_CASE("a repository without refs is its only snapshot") {
  ModelDirectory directory("models--org--name");
  directory.weights("snapshots/" + std::string(commit) + "/model.safetensors", {"a"});
  CHECK(opened(directory.path())->tensors.size() == 1);
  directory.folder("snapshots/" + std::string(40, 'f'));
  CHECK(refusal(directory.path()) == "not-a-model");
}

TEST_CASE("a folder of several models is a question, a model with parts is not") {
  ModelDirectory shelf;
  shelf.weights("a/model.safetensors", {"x"}).write("a/config.json", "{}");
  CHECK(open_model(shelf.path()).has_value());
  shelf.weights("b/model.safetensors", {"x"}).write("b/config.json", "{}");
  const auto several = open_model(shelf.path());
  REQUIRE_FALSE(several.has_value());
  CHECK(several.error().code == "not-a-model");
  CHECK(several.error().message.find("2 models") != std::string::npos);
  shelf.write("model_index.json", "{}");  // a pipeline of components
  CHECK(open_model(shelf.path()).has_value());
}

TEST_CASE("a cache of one repository is that one, of several a question") {
  ModelDirectory cache("hub");
  cache.weights("models--org--a/snapshots/" + std::string(commit) + "/model.safetensors", {"a"});
  CHECK(opened(cache.path())->name == "org/a");
  cache.folder("models--org--b/snapshots");
  CHECK(refusal(cache.path()) == "not-a-model");
}

TEST_CASE("a download that never finished is told wherever it lies") {
  ModelDirectory directory("models--org--name");
  fill_repository(directory);
  directory.write("blobs/" + std::string(64, 'c') + ".incomplete", "part");
  const auto cached = opened(directory.path());
  REQUIRE(find(*cached, "incomplete-download") != nullptr);
  CHECK(find(*cached, "incomplete-download")->file.starts_with("blobs/"));
  ModelDirectory plain;
  plain.weights("model.safetensors", {"a"}).write("model-2.safetensors.part", "x");
  CHECK(find(*opened(plain.path()), "incomplete-download") != nullptr);
}

TEST_CASE("links inside a model are followed and links that lead outside are not") {
  ModelDirectory directory;
  directory.weights("data/weights.bin", {"a"}).link("model.safetensors", "data/weights.bin");
  directory.write("../outside.json", R"({"_name_or_path":"secret"})");
  directory.link("config.json", "../outside.json").link("README.md", "/etc/hostname");
  const auto model = opened(directory.path());
  CHECK(model->tensors.size() == 1);
  CHECK(std::ranges::count(model->problems, "symlink-escape", &Problem::code) == 2);
  CHECK(model->claims.empty());
}

TEST_CASE("a link that leads nowhere or to itself is a problem and no more") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"}).link("config.json", "gone").link("loop", "loop");
  const auto model = opened(directory.path());
  CHECK(model->tensors.size() == 1);
  CHECK(std::ranges::count(model->problems, "io-error", &Problem::code) == 2);
}

TEST_CASE("a pipe among the files is left out and never opened") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"});
  REQUIRE(::mkfifo(directory.path("config.json").c_str(), 0600) == 0);
  const auto model = opened(directory.path());
  CHECK(model->tensors.size() == 1);
  CHECK(find(*model, "not-a-regular-file") != nullptr);
  CHECK(refusal(directory.path("config.json")) == "not-a-regular-file");
}

TEST_CASE("an index given by name chooses the set it lists") {
  ModelDirectory directory;
  directory.sharded({{"a"}, {"b"}}).weights("model.safetensors", {"whole"});
  directory.weights("other-00001-of-00001.safetensors", {"c"});
  directory.write("other.safetensors.index.json",
                  index_json({{"c", "other-00001-of-00001.safetensors"}}, "8"));
  const auto model = opened(directory.path("other.safetensors.index.json"));
  REQUIRE(model->tensors.size() == 1);
  CHECK(model->tensors[0].entry.name == "c");
}

TEST_CASE("one weight file is read without its neighbours") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"}).write("config.json", R"({"model_type":"llama"})");
  const auto model = opened(directory.path("model.safetensors"));
  CHECK(model->name == "model.safetensors");
  CHECK(model->files.size() == 1);
  CHECK(model->tensors.size() == 1);
  CHECK(model->claims.empty());
  CHECK(find(*model, "config-missing") == nullptr);
}

TEST_CASE("what is neither weights nor a directory of them is refused with a reason") {
  ModelDirectory directory;
  directory.write("page.html", "<!doctype html><title>404</title>").write("empty", "");
  CHECK(refusal(directory.path("page.html")) == "not-a-weight-file");
  CHECK(refusal(directory.path("empty")) == "not-a-weight-file");
  CHECK(refusal(directory.path("absent")) == "io-error");
  CHECK(refusal("/dev/null") == "not-a-regular-file");
}

TEST_CASE("kinds of side files are told by name, and a licence is not where weights hide") {
  CHECK(side_file_kind("config.json") == "config");
  CHECK(side_file_kind("model.safetensors.index.json") == "index");
  CHECK(side_file_kind("model.safetensors.index.fp16.json") == "index");
  CHECK(side_file_kind("README.md") == "card");
  CHECK(side_file_kind("rng_state_0.pth") == "training-state");
  CHECK(side_file_kind("LICENSE.txt") == "license");
  CHECK(side_file_kind("license.safetensors") == "other");
  CHECK(has_weight_name("license.safetensors"));
  CHECK(has_weight_name("unet/Model.BIN"));
  CHECK_FALSE(has_weight_name("optimizer.bin"));
  CHECK_FALSE(has_weight_name("tokenizer.model"));
}

}  // namespace pedigree
