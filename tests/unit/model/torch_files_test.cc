// PyTorch files among others, and tensors whose bytes do not stand in order.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "model/model.h"
#include "model/weights.h"
#include "tests/support/model_directory.h"
#include "tests/support/torch_builder.h"

namespace pedigree {
namespace {

using namespace made_pickle;

std::unique_ptr<Model> opened(const std::string& path) {
  auto model = open_model(path);
  REQUIRE(model.has_value());
  return std::move(*model);
}

bool has(const Model& model, std::string_view code) {
  return std::ranges::find(model.problems, code, &Problem::code) != model.problems.end();
}

std::string archive(const std::vector<std::int64_t>& sizes,
                    const std::vector<std::int64_t>& strides) {
  return made_torch_zip(whole(mapping({{"w", tensor(storage("0", 6), 0, sizes, strides)}})),
                        {made_floats({0, 1, 2, 3, 4, 5})});
}

}  // namespace

TEST_CASE("a turned tensor is streamed in order, and its place in the file is kept") {
  ModelDirectory directory;
  directory.write("pytorch_model.bin", archive({3, 2}, {1, 3}));
  const auto model = opened(directory.path());
  REQUIRE(model->tensors.size() == 1);
  const StoredTensor& stored = model->tensors[0];
  std::vector<std::byte> bytes;
  REQUIRE_FALSE(stream_bytes(*model, stored, 64, [&](std::span<const std::byte> part) {
                  bytes.insert(bytes.end(), part.begin(), part.end());
                  return std::optional<Problem>();
                }).has_value());
  const std::string expected = made_floats({0, 3, 1, 4, 2, 5});
  CHECK(std::ranges::equal(bytes, std::as_bytes(std::span(expected))));
  REQUIRE(stored.gathered_from.has_value());
  CHECK(stored.gathered_from->shard == 0);
  CHECK(stored.gathered_from->extent.size() == 24);
  CHECK(model->shards[stored.shard]->arranges() == model->shards[0].get());
  CHECK(model->formats == std::vector<std::string>{"torch-zip"});
}

TEST_CASE("safetensors are read where a PyTorch file lies beside them") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"}).write("pytorch_model.bin", archive({2, 3}, {3, 1}));
  const auto model = opened(directory.path());
  CHECK(model->formats == std::vector<std::string>{"safetensors"});
}

TEST_CASE("an archive or a pickle is a weight file under a weight file's name only") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"});
  directory.write("samples.zip", made_zip({{"a.npy", "x"}}));
  directory.write("vocabulary.pkl", whole(mapping({{"a", number(1)}})));
  const auto model = opened(directory.path());
  CHECK(model->tensors.size() == 1);
  CHECK_FALSE(has(*model, "index-stale-family"));
  CHECK_FALSE(has(*model, "not-a-weight-file"));
}

TEST_CASE("shards of PyTorch files are held against their index") {
  ModelDirectory directory;
  directory.write("pytorch_model-00001-of-00002.bin", archive({2, 3}, {3, 1}));
  directory.write("pytorch_model-00002-of-00002.bin", archive({2, 3}, {3, 1}));
  directory.write("pytorch_model.bin.index.json", R"({"metadata":{"total_size":24},"weight_map":)"
                                                  R"({"w":"pytorch_model-00001-of-00002.bin"}})");
  const auto model = opened(directory.path());
  CHECK(model->tensors.size() == 1);
  CHECK(has(*model, "index-extra-shard"));
}

}  // namespace pedigree
