#include "tests/support/model_directory.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/safetensors_builder.h"

namespace pedigree {

namespace fs = std::filesystem;

ModelDirectory::ModelDirectory() : ModelDirectory("model") {}

ModelDirectory::ModelDirectory(std::string_view name) {
  std::string pattern = (fs::temp_directory_path() / "pedigree-test-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  parent_ = pattern;
  root_ = (fs::path(parent_) / name).string();
  fs::create_directories(root_);
}

ModelDirectory::~ModelDirectory() {
  std::error_code error;
  fs::remove_all(parent_, error);
}

std::string ModelDirectory::path(std::string_view relative) const {
  return relative.empty() ? root_ : (fs::path(root_) / relative).string();
}

ModelDirectory& ModelDirectory::folder(std::string_view relative) {
  fs::create_directories(path(relative));
  return *this;
}

ModelDirectory& ModelDirectory::write(std::string_view relative, std::string_view text) {
  fs::create_directories(fs::path(path(relative)).parent_path());
  std::ofstream out(path(relative), std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  REQUIRE(out.good());
  return *this;
}

ModelDirectory& ModelDirectory::link(std::string_view relative, std::string_view target) {
  fs::create_directories(fs::path(path(relative)).parent_path());
  fs::create_symlink(target, path(relative));
  return *this;
}

ModelDirectory& ModelDirectory::weights(std::string_view relative,
                                        const std::vector<std::string>& names) {
  constexpr std::array<float, 2> values = {1.0F, -2.0F};
  SafetensorsBuilder builder;
  for (const std::string& name : names) builder.f32(name, {2}, values);
  return write(relative, builder.build());
}

ModelDirectory& ModelDirectory::sharded(const std::vector<std::vector<std::string>>& shards) {
  std::vector<ListedTensor> listed;
  for (std::size_t at = 0; at < shards.size(); ++at) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", at + 1, shards.size());
    weights(name, shards[at]);
    for (const std::string& tensor : shards[at]) listed.push_back({tensor, name});
  }
  return write("model.safetensors.index.json",
               index_json(listed, fmt::format("{}", 8 * listed.size())));
}

ModelDirectory& ModelDirectory::pointer(std::string_view relative, char digit, std::uint64_t size) {
  return write(relative,
               fmt::format("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n",
                           std::string(64, digit), size));
}

std::string index_json(const std::vector<ListedTensor>& tensors, std::string_view total_size) {
  std::string text =
      fmt::format("{{\"metadata\":{{\"total_size\":{}}},\"weight_map\":{{", total_size);
  for (std::size_t at = 0; at < tensors.size(); ++at) {
    text += fmt::format("{}{}:{}", at == 0 ? "" : ",", json_quoted(tensors[at].tensor),
                        json_quoted(tensors[at].shard));
  }
  return text + "}}";
}

}  // namespace pedigree
