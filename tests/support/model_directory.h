// A model directory of a test's own: written below the system's temporary
// folder, removed with the object.
//
//   ModelDirectory model;
//   model.weights("model.safetensors", {"a", "b"}).write("config.json", "{}");
//   open_model(model.path());
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

class ModelDirectory {
 public:
  ModelDirectory();
  explicit ModelDirectory(std::string_view name);  // the folder's own name
  ~ModelDirectory();
  ModelDirectory(const ModelDirectory&) = delete;
  ModelDirectory& operator=(const ModelDirectory&) = delete;

  // All paths are relative; folders on the way are made.
  ModelDirectory& write(std::string_view path, std::string_view text);
  ModelDirectory& link(std::string_view path, std::string_view target);
  ModelDirectory& folder(std::string_view path);

  // A safetensors file of F32 tensors of two elements each, 8 bytes of data a
  // tensor.
  ModelDirectory& weights(std::string_view path, const std::vector<std::string>& names);

  // model-00001-of-0000N.safetensors, one per list of names, and their index.
  ModelDirectory& sharded(const std::vector<std::vector<std::string>>& shards);

  // A git-lfs pointer: 64 times the hex digit, and a size.
  ModelDirectory& pointer(std::string_view path, char digit, std::uint64_t size);

  std::string path(std::string_view relative = {}) const;

 private:
  std::string parent_;
  std::string root_;
};

// {"metadata":{"total_size":…},"weight_map":{…}} of (tensor, shard) pairs.
struct ListedTensor {
  std::string tensor = {};
  std::string shard = {};
};
std::string index_json(const std::vector<ListedTensor>& tensors, std::string_view total_size);

}  // namespace pedigree
