// Meta's consolidated files: shares of matrices, read as whole ones.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "model/model.h"
#include "tests/support/model_directory.h"
#include "tests/support/torch_builder.h"

namespace pedigree {
namespace {

using namespace made_pickle;
using Floats = std::vector<float>;

struct Share {
  std::string name = {};
  std::vector<std::int64_t> shape = {};
  Floats values = {};
};

std::string file_of(const std::vector<Share>& shares) {
  std::vector<std::pair<std::string, std::string>> items;
  std::vector<std::string> storages;
  for (const Share& share : shares) {
    std::vector<std::int64_t> strides(share.shape.size(), 1);
    if (strides.size() == 2) strides[0] = share.shape[1];
    const auto count = static_cast<std::int64_t>(share.values.size());
    items.emplace_back(share.name, tensor(storage(std::to_string(storages.size()), count), 0,
                                          share.shape, strides));
    storages.push_back(made_floats(share.values));
  }
  return made_torch_zip(whole(mapping(items)), storages);
}

std::unique_ptr<Model> opened(const ModelDirectory& directory) {
  auto model = open_model(directory.path());
  REQUIRE(model.has_value());
  return std::move(*model);
}

Floats values_of(const Model& model, std::string_view name) {
  const auto found = std::ranges::find_if(
      model.tensors, [&](const StoredTensor& tensor) { return tensor.entry.name == name; });
  REQUIRE_MESSAGE(found != model.tensors.end(), std::string(name));
  std::vector<std::byte> bytes(static_cast<std::size_t>(found->entry.extent.size()));
  REQUIRE_FALSE(model.shards[found->shard]->read_at(found->entry.extent.begin, bytes).has_value());
  Floats values(static_cast<std::size_t>(found->entry.element_count()));
  found->entry.type->decode(bytes, values);
  return values;
}

std::size_t count(const Model& model, std::string_view code) {
  return static_cast<std::size_t>(std::ranges::count(model.problems, code, &Problem::code));
}

// Width 4, cut in two: queries by rows, outputs by columns.
std::vector<Share> half(float first, float norm = 1) {
  return {{"layers.0.attention.wq.weight", {2, 4}, {first, 1, 2, 3, 4, 5, 6, 7}},
          {"layers.0.attention.wo.weight", {4, 2}, {first, 1, 2, 3, 4, 5, 6, 7}},
          {"tok_embeddings.weight", {3, 2}, {first, 1, 2, 3, 4, 5}},
          {"norm.weight", {4}, {norm, 2, 3, 4}}};
}

}  // namespace

TEST_CASE("shares are joined by rows or by columns, as their names say") {
  ModelDirectory directory;
  directory.write("consolidated.00.pth", file_of(half(10)));
  directory.write("consolidated.01.pth", file_of(half(20)));
  const auto model = opened(directory);
  CHECK(count(*model, "index-duplicate-tensor") == 0);
  CHECK(count(*model, "shard-layout") == 0);
  CHECK(count(*model, "shard-replica-mismatch") == 0);
  REQUIRE(model->tensors.size() == 4);
  CHECK(values_of(*model, "layers.0.attention.wq.weight") ==
        Floats{10, 1, 2, 3, 4, 5, 6, 7, 20, 1, 2, 3, 4, 5, 6, 7});
  CHECK(values_of(*model, "layers.0.attention.wo.weight") ==
        Floats{10, 1, 20, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7, 6, 7});
  CHECK(values_of(*model, "tok_embeddings.weight") == Floats{10, 1, 20, 1, 2, 3, 2, 3, 4, 5, 4, 5});
  CHECK(values_of(*model, "norm.weight") == Floats{1, 2, 3, 4});
}

TEST_CASE("a norm that differs between the files is told, and a file that is missing") {
  ModelDirectory other;
  other.write("consolidated.00.pth", file_of(half(10)));
  other.write("consolidated.01.pth", file_of(half(20, 9)));
  CHECK(count(*opened(other), "shard-replica-mismatch") == 1);
  ModelDirectory three;
  for (const char* name : {"consolidated.00.pth", "consolidated.01.pth", "consolidated.02.pth"}) {
    three.write(name, file_of(half(10)));
  }
  CHECK(count(*opened(three), "shard-layout") == 1);
}

TEST_CASE("an embedding as wide as the model was cut by rows") {
  ModelDirectory directory;
  for (const char* name : {"consolidated.00.pth", "consolidated.01.pth"}) {
    directory.write(name, file_of({{"tok_embeddings.weight", {2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}},
                                   {"norm.weight", {4}, {1, 2, 3, 4}}}));
  }
  const auto model = opened(directory);
  REQUIRE(model->tensors.size() == 2);
  CHECK(model->tensors[1].entry.shape == std::vector<std::uint64_t>{4, 4});
}

TEST_CASE("heads of keys that neighbouring files repeat are taken once") {
  const auto share = [](float first) {
    std::vector<Share> shares = {{"norm.weight", {4}, {1, 2, 3, 4}}};
    for (const char* name : {"layers.0.attention.wk.weight", "layers.0.attention.wv.weight"}) {
      Floats values;
      for (int i = 0; i < 16; ++i) values.push_back(first + 0.37F * static_cast<float>(i * i));
      shares.push_back({name, {4, 4}, values});
    }
    return file_of(shares);
  };
  ModelDirectory directory;
  directory.write("consolidated.00.pth", share(1)).write("consolidated.01.pth", share(1));
  directory.write("consolidated.02.pth", share(5)).write("consolidated.03.pth", share(5));
  const auto model = opened(directory);
  CHECK(count(*model, "shard-replica-mismatch") == 0);
  REQUIRE(model->tensors.size() == 3);
  CHECK(model->tensors[0].entry.shape == std::vector<std::uint64_t>{8, 4});
  const Floats keys = values_of(*model, "layers.0.attention.wk.weight");
  CHECK(keys[0] == 1);
  CHECK(keys[16] == 5);
  ModelDirectory changed;
  changed.write("consolidated.00.pth", share(1)).write("consolidated.01.pth", share(1));
  changed.write("consolidated.02.pth", share(5)).write("consolidated.03.pth", share(6));
  CHECK(count(*opened(changed), "shard-replica-mismatch") == 2);
}

}  // namespace pedigree
