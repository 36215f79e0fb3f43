#include "model/external_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/confinement.h"
#include "base/files.h"
#include "base/text.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

// Exporters may write a file for each tensor; a process has a thousand or so to open.
constexpr std::size_t most_open = 64;
constexpr std::uint64_t largest_pointer = 1024;

// A file that is opened for every read.
class ReopenedFile final : public Source {
 public:
  ReopenedFile(std::string path, const Source& opened)
      : path_(std::move(path)), name_(opened.name()), size_(opened.size()), time_(time_of()) {}

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return size_; }

  std::optional<Problem> still_the_same() const override {
    std::error_code error;
    if (fs::file_size(path_, error) == size_ && !error && time_of() == time_) return std::nullopt;
    return make_problem("file-changed-while-reading", name_, "the file changed during the run");
  }

 protected:
  std::optional<Problem> do_read(std::uint64_t offset, std::span<std::byte> out) const override {
    auto source = open_file(path_, name_);
    if (!source) return std::move(source.error());
    return (*source)->read_at(offset, out);
  }

 private:
  fs::file_time_type time_of() const {
    std::error_code error;
    return fs::last_write_time(path_, error);
  }

  std::string path_;
  std::string name_;
  std::uint64_t size_ = 0;
  fs::file_time_type time_;
};

}  // namespace

std::vector<StoredTensor> ExternalData::add(const std::string& weight_file,
                                            std::vector<ExternalTensor> tensors) {
  constexpr std::size_t most_told = 20;
  std::vector<StoredTensor> stored;
  stored.reserve(tensors.size());
  std::size_t beyond = 0;
  for (ExternalTensor& tensor : tensors) {
    const std::size_t shard = open(weight_file, tensor);
    if (shard == unopened) continue;
    const Source& source = *model_.shards[shard];
    if (tensor.entry.extent.end <= source.size()) {
      stored.push_back({.entry = std::move(tensor.entry), .shard = shard});
    } else if (++beyond <= most_told) {
      model_.problems.push_back(
          make_problem("external-data-range", source.name(),
                       fmt::format("\"{}\" is to end at byte {} of a file of {}",
                                   shown(tensor.entry.name.substr(0, 200)), tensor.entry.extent.end,
                                   source.size()),
                       source.size()));
    }
  }
  return stored;
}

// One problem a file, however many tensors it is to hold.
std::size_t ExternalData::open(const std::string& weight_file, const ExternalTensor& tensor) {
  const auto [known, is_new] =
      shards_.emplace(std::string(folder_of(weight_file)) + tensor.location, unopened);
  if (!is_new) return known->second;
  std::size_t& shard = known->second;
  if (shards_.size() > limits_.shards) {
    model_.problems.push_back(
        make_problem("limit-exceeded", weight_file,
                     fmt::format("tensors lie in over {} files", limits_.shards), tensor.named_at));
    return shard;
  }
  const auto file = find(weight_file, tensor);
  if (!file) return shard;
  auto source = open_file(file->real_path, file->path);
  if (!source) {
    Problem problem = std::move(source.error());
    problem.message += fmt::format("; it is to hold \"{}\" and perhaps others",
                                   shown(tensor.entry.name.substr(0, 200)));
    model_.problems.push_back(std::move(problem));
    return shard;
  }
  list(*file);
  if (is_pointer(**source)) return shard;
  if (shards_.size() > most_open) {
    *source = std::make_unique<ReopenedFile>(file->real_path, **source);
  }
  shard = model_.shards.size();
  model_.shards.push_back(std::move(*source));
  return shard;
}

std::optional<ListedFile> ExternalData::find(const std::string& weight_file,
                                             const ExternalTensor& tensor) {
  std::string_view location = tensor.location;
  while (location.starts_with("./")) location.remove_prefix(2);
  const std::string shown_location = shown(percent_escaped(tensor.location).substr(0, 200));
  if (!is_confined_name(location)) {
    model_.problems.push_back(make_problem(
        "path-escape", weight_file,
        fmt::format("the bytes of tensors are to lie in \"{}\", which is no file below the "
                    "model's own folder",
                    shown_location),
        tensor.named_at));
    return std::nullopt;
  }
  const std::string path =
      std::string(folder_of(weight_file)) + percent_escaped(std::string(location));
  if (const ListedFile* listed = layout_.find(path)) return *listed;
  if (layout_.single_file) {
    if (auto found = beside_given(std::string(location))) return found;
  }
  model_.problems.push_back(
      make_problem("external-data-missing", weight_file,
                   fmt::format("\"{}\", which holds \"{}\" and perhaps others, is not there",
                               shown_location, shown(tensor.entry.name.substr(0, 200))),
                   tensor.named_at));
  return std::nullopt;
}

// Of a file given by itself the neighbours were not listed. Links may lead anywhere inside
// the model and nowhere else.
std::optional<ListedFile> ExternalData::beside_given(const std::string& path) {
  std::error_code error;
  const fs::path named = fs::path(layout_.folder) / path;
  const fs::path real = fs::canonical(named, error);
  if (error) return std::nullopt;
  if (!lies_within(real, layout_.confinement)) {
    model_.problems.push_back(make_problem("symlink-escape", percent_escaped(path),
                                           "the symbolic link leads outside the model"));
    return std::nullopt;
  }
  const auto size = fs::file_size(real, error);
  return ListedFile{.path = percent_escaped(path),
                    .real_path = real.string(),
                    .size = error ? 0 : size,
                    .is_link = real != named};
}

bool ExternalData::is_pointer(const Source& source) {
  if (source.size() >= largest_pointer) return false;
  std::string text(static_cast<std::size_t>(source.size()), '\0');
  if (source.read_at(0, std::as_writable_bytes(std::span(text)))) return false;
  const auto pointer = read_lfs_pointer(text);
  if (!pointer) return false;
  model_.missing_bytes += std::min(pointer->size, UINT64_MAX - model_.missing_bytes);
  model_.problems.push_back(
      make_problem("weights-not-downloaded", source.name(),
                   fmt::format("a git-lfs pointer stands in place of {}, SHA-256 {}",
                               byte_size(pointer->size), pointer->oid)));
  return true;
}

void ExternalData::list(const ListedFile& file) {
  // Under a name like "weights.bin" it was taken for a second set of weights.
  std::erase_if(model_.problems, [&](const Problem& problem) {
    return problem.code == "index-stale-family" && problem.file == file.path;
  });
  const auto found = std::ranges::find(model_.files, file.path, &ModelFile::path);
  if (found != model_.files.end()) {
    if (found->format == "other") found->format = "onnx-data";
    return;
  }
  model_.files.push_back(
      {.path = file.path, .format = "onnx-data", .size = file.size, .real_path = file.real_path});
}

}  // namespace pedigree
