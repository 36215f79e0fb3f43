#include "model/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "model/layout_hub.h"
#include "model/layout_image.h"
#include "model/layout_modelfile.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

Problem incomplete(std::string file) {
  return make_problem("incomplete-download", std::move(file), "this download never finished");
}

Result<ModelLayout> layout_of_directory(const fs::path& folder, const fs::path& confinement,
                                        std::string name) {
  auto listing = list_directory(folder, confinement);
  if (!listing) return std::unexpected(std::move(listing.error()));
  const auto models = models_below(listing->files);
  if (models.size() > 1) {
    return std::unexpected(
        make_problem("not-a-model", std::move(name),
                     fmt::format("this folder holds {} models, {} among them; name one of them",
                                 models.size(), models.front())));
  }
  ModelLayout layout;
  layout.name = std::move(name);
  layout.files = std::move(listing->files);
  layout.problems = std::move(listing->problems);
  for (const ListedFile& file : layout.files) {
    if (side_file_kind(file.path) == "incomplete") layout.problems.push_back(incomplete(file.path));
  }
  return layout;
}

Result<ModelLayout> layout_of_snapshot(const fs::path& snapshot, const fs::path& repository) {
  auto layout = layout_of_directory(snapshot, repository, repository_name(repository));
  if (!layout) return layout;
  for (const std::string& blob : unfinished_blobs(repository)) {
    layout->problems.push_back(incomplete("blobs/" + percent_escaped(blob)));
  }
  return layout;
}

Result<ModelLayout> layout_of_modelfile(const fs::path& path);

Result<ModelLayout> layout_of_folder(const fs::path& folder, const std::string& revision) {
  const auto image = image_in(folder);
  if (!image) return std::unexpected(image.error());
  if (const auto& manifest = *image) return layout_of_image(*manifest);
  if (is_hub_repository(folder)) {
    const auto snapshot = find_snapshot(folder, revision);
    if (!snapshot) return std::unexpected(snapshot.error());
    return layout_of_snapshot(*snapshot, folder);
  }
  if (const auto repository = repository_of_snapshot(folder)) {
    return layout_of_snapshot(folder, *repository);
  }
  const auto repositories = repositories_in(folder);
  if (repositories.size() == 1) return layout_of_folder(repositories.front(), revision);
  if (repositories.size() > 1) {
    return std::unexpected(
        make_problem("not-a-model", percent_escaped(folder.filename().string()),
                     fmt::format("this is a cache of {} models, {} among them; name one of them",
                                 repositories.size(), repository_name(repositories.front()))));
  }
  return layout_of_directory(folder, folder, percent_escaped(folder.filename().string()));
}

Result<ModelLayout> layout_of_index(const fs::path& folder, const std::string& leaf) {
  const auto repository = repository_of_snapshot(folder);
  auto layout =
      repository ? layout_of_snapshot(folder, *repository)
                 : layout_of_directory(folder, folder, percent_escaped(folder.filename().string()));
  if (layout) layout->given_index = percent_escaped(leaf);
  return layout;
}

// Of a small file; "" of any other.
std::string beginning_of(const fs::path& path) {
  constexpr std::uintmax_t small = std::uintmax_t{4} << 20U;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || size > small) return {};
  return read_small_file(path.string(), path.filename().string()).value_or("");
}

Result<ModelLayout> layout_of_file(const fs::path& path, const fs::path& real) {
  std::error_code error;
  const std::string leaf = path.filename().string();
  if (side_file_kind(leaf) == "index") {
    // The folder the name was given in, not the one a link leads to.
    return layout_of_index(fs::canonical(fs::absolute(path).parent_path(), error), leaf);
  }
  if (const std::string head = beginning_of(real); may_be_image_manifest(head)) {
    return layout_of_image(real);
  }
  if (is_modelfile_name(leaf)) return layout_of_modelfile(real);
  ModelLayout layout;
  layout.name = percent_escaped(leaf);
  layout.single_file = true;
  layout.files.push_back({.path = layout.name,
                          .real_path = real.string(),
                          .size = fs::file_size(real, error),
                          .is_link = real.filename() != path.filename()});
  if (error) return std::unexpected(make_problem("io-error", layout.name, error.message()));
  const fs::path folder = fs::canonical(fs::absolute(path).parent_path(), error);
  if (error) return std::unexpected(make_problem("io-error", layout.name, error.message()));
  layout.folder = folder.string();
  layout.confinement = repository_of_snapshot(folder).value_or(folder).string();
  return layout;
}

Result<ModelLayout> layout_of_modelfile(const fs::path& path) {
  auto target = modelfile_target(path);
  if (!target) return std::unexpected(std::move(target.error()));
  std::error_code error;
  auto layout = fs::is_directory(target->from, error) ? layout_of_folder(target->from, {})
                                                      : layout_of_file(target->from, target->from);
  if (layout) std::ranges::move(target->claims, std::back_inserter(layout->claims));
  return layout;
}

}  // namespace

Result<ModelLayout> find_layout(const std::string& path, const std::string& revision) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) {
    return std::unexpected(make_problem("io-error", percent_escaped(path), error.message()));
  }
  const fs::file_status status = fs::status(real, error);
  if (fs::is_directory(status)) return layout_of_folder(real, revision);
  if (!fs::is_regular_file(status)) {
    return std::unexpected(make_problem("not-a-regular-file", percent_escaped(path),
                                        "this is neither a file nor a directory"));
  }
  return layout_of_file(path, real);
}

std::vector<std::string> models_below(const std::vector<ListedFile>& files) {
  std::set<std::string, std::less<>> with_config;
  std::set<std::string, std::less<>> with_weights;
  for (const ListedFile& file : files) {
    const std::string folder(folder_of(file.path));
    const std::string_view leaf = leaf_of(file.path);
    const bool config = leaf == "config.json" || leaf == "model_index.json";
    const bool weights = has_weight_name(file.path);
    if (folder.empty() && (config || weights)) return {};
    if (config) with_config.insert(folder);
    if (weights) with_weights.insert(folder);
  }
  std::vector<std::string> models;
  std::ranges::set_intersection(with_config, with_weights, std::back_inserter(models));
  return models;
}

const ListedFile* ModelLayout::find(std::string_view path) const {
  const auto at = std::ranges::lower_bound(files, path, {}, &ListedFile::path);
  return at != files.end() && at->path == path ? &*at : nullptr;
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? std::string_view{} : path.substr(0, slash + 1);
}

std::string_view leaf_of(std::string_view path) { return path.substr(folder_of(path).size()); }

}  // namespace pedigree
