// ONNX models among other files: data beside them, names and orientation by their graphs.
#include "model/external_data.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "model/model.h"
#include "model/weights.h"
#include "tests/support/attacks.h"
#include "tests/support/model_directory.h"
#include "tests/support/onnx_builder.h"

namespace pedigree {
namespace {

using namespace made_onnx;

std::unique_ptr<Model> opened(const std::string& path) {
  auto model = open_model(path);
  REQUIRE(model.has_value());
  return std::move(*model);
}

std::vector<std::string> codes_of(const Model& model) {
  std::vector<std::string> codes;
  for (const Problem& problem : model.problems) codes.push_back(problem.code);
  return codes;
}

std::string floats(const std::vector<float>& values) {
  return raw_floats(values).substr(2);  // without tag and length, for up to 31 of them
}

}  // namespace

TEST_CASE("every attack on ONNX models gets the problem its why.md names") {
  const auto attacks = attacks_in(PEDIGREE_FIXTURES "/attacks/onnx");
  for (const Attack& attack : attacks) {
    const auto model = open_model(attack.path + "/model.onnx");
    const std::vector<std::string> codes =
        model ? codes_of(**model) : std::vector<std::string>{model.error().code};
    CHECK_MESSAGE(std::ranges::find(codes, attack.expected) != codes.end(), attack.name, " got ",
                  codes.empty() ? "none" : codes.front());
  }
  CHECK(attacks.size() >= 40);
}

TEST_CASE("tensors in a file beside the model are read from it, and the file is the model's") {
  ModelDirectory directory;
  directory.write(
      "model.onnx",
      made_onnx::model({.tensors = {tensor("a", {2}, 1, external("weights.bin", "0", "8")),
                                    tensor("b", {1, 2}, 1, external("./weights.bin", "8"))}}));
  directory.write("weights.bin", floats({1, 2, 3, 4}));
  for (const std::string& path : {directory.path(), directory.path() + "/model.onnx"}) {
    const auto model = opened(path);
    REQUIRE(model->tensors.size() == 2);
    std::vector<std::byte> stored(8);
    const StoredTensor& tensor = model->tensors[1];
    const Source& source = *model->shards[tensor.shard];
    CHECK(source.name() == "weights.bin");
    REQUIRE_FALSE(source.read_at(tensor.entry.extent.begin, stored).has_value());
    CHECK(std::ranges::equal(
        stored, std::as_bytes(std::span(std::string_view("\0\0\x40\x40\0\0\x80\x40", 8)))));
    const auto file = std::ranges::find(model->files, "weights.bin", &ModelFile::path);
    REQUIRE(file != model->files.end());
    CHECK(file->format == "onnx-data");
    const auto codes = codes_of(*model);
    CHECK(std::ranges::find(codes, "index-stale-family") == codes.end());
  }
}

TEST_CASE("a link beside a model is followed inside its folder and nowhere else") {
  ModelDirectory directory;
  directory.write("onnx/model.onnx",
                  made_onnx::model({.tensors = {tensor("a", {2}, 1, external("data", "0", "8"))}}));
  directory.write("onnx/blobs/x", floats({1, 2}));
  std::filesystem::create_symlink("blobs/x", directory.path() + "/onnx/data");
  CHECK(opened(directory.path() + "/onnx/model.onnx")->tensors.size() == 1);
  std::filesystem::remove(directory.path() + "/onnx/data");
  directory.write("outside", floats({1, 2}));
  std::filesystem::create_symlink("../outside", directory.path() + "/onnx/data");
  const auto model = opened(directory.path() + "/onnx/model.onnx");
  CHECK(model->tensors.empty());
  const auto codes = codes_of(*model);
  CHECK(std::ranges::find(codes, "symlink-escape") != codes.end());
}

TEST_CASE("a pipe or nothing in place of external data is told with the tensor it is to hold") {
  ModelDirectory directory;
  directory.write(
      "model.onnx",
      made_onnx::model({.tensors = {tensor("a.weight", {2}, 1, external("data", "0", "8"))}}));
  const auto told = [&](const std::string& path, std::string_view code) {
    const auto model = opened(path);
    return std::ranges::any_of(model->problems, [&](const Problem& problem) {
      return problem.code == code && problem.message.contains("\"a.weight\"");
    });
  };
  const std::string file = directory.path("model.onnx");
  CHECK(told(file, "external-data-missing"));
  CHECK(told(directory.path(), "external-data-missing"));
  REQUIRE(::mkfifo(directory.path("data").c_str(), 0600) == 0);
  CHECK(told(file, "not-a-regular-file"));
  CHECK(told(directory.path(), "external-data-missing"));
  std::filesystem::remove(directory.path("data"));
  directory.folder("data");
  CHECK(told(file, "not-a-regular-file"));
}

TEST_CASE("a pointer in place of external data is told, with what it stands for") {
  ModelDirectory directory;
  directory.write("model.onnx",
                  made_onnx::model({.tensors = {tensor("a", {2}, 1, external("data"))}}));
  directory.write("data", "version https://git-lfs.github.com/spec/v1\noid sha256:" +
                              std::string(64, 'a') + "\nsize 8\n");
  const auto model = opened(directory.path());
  const auto codes = codes_of(*model);
  CHECK(std::ranges::find(codes, "weights-not-downloaded") != codes.end());
  CHECK(model->missing_bytes == 8);
}

TEST_CASE("a file for each tensor is opened when it is read once there are many") {
  constexpr std::size_t count = 100;
  ModelDirectory directory;
  Graph parts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = "t" + std::to_string(i);
    parts.tensors.push_back(tensor(name, {1}, 1, external(name + ".raw")));
    directory.write(name + ".raw", floats({static_cast<float>(i)}));
  }
  directory.write("model.onnx", made_onnx::model(parts));
  const auto model = opened(directory.path());
  REQUIRE(model->tensors.size() == count);
  for (const StoredTensor& tensor : model->tensors) {
    std::vector<std::byte> stored(4);
    std::vector<float> value(1);
    const Source& source = *model->shards[tensor.shard];
    REQUIRE_FALSE(source.read_at(0, stored).has_value());
    tensor.entry.type->decode(stored, value);
    CHECK("t" + std::to_string(static_cast<int>(value[0])) == tensor.entry.name);
    CHECK_FALSE(source.still_the_same().has_value());
  }
}

}  // namespace pedigree
