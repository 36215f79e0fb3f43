#include "model/layout_hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/text.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "models--";
constexpr std::size_t max_entries = 100'000;

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<std::string> entries_of(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (const fs::directory_iterator end; !error && at != end && names.size() < max_entries;
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Problem no_snapshot(const fs::path& repository, std::string message) {
  return make_problem("not-a-model", percent_escaped(repository.filename().string()),
                      std::move(message));
}

}  // namespace

bool is_hub_repository(const fs::path& folder) {
  return is_folder(folder / "snapshots") &&
         (folder.filename().string().starts_with(prefix) || is_folder(folder / "blobs"));
}

std::optional<fs::path> repository_of_snapshot(const fs::path& folder) {
  if (folder.parent_path().filename() != "snapshots") return std::nullopt;
  fs::path repository = folder.parent_path().parent_path();
  if (!is_hub_repository(repository)) return std::nullopt;
  return repository;
}

Result<fs::path> find_snapshot(const fs::path& repository, const std::string& revision) {
  const std::string name = revision.empty() ? "main" : revision;
  if (!is_confined_name(name)) {
    return std::unexpected(no_snapshot(
        repository, fmt::format("\"{}\" cannot be the name of a revision", shown(name))));
  }
  std::error_code error;
  if (fs::is_regular_file(repository / "refs" / name, error)) {
    auto text = read_small_file(repository / "refs" / name, "refs/" + name, 256);
    if (!text) return std::unexpected(std::move(text.error()));
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (is_confined_name(*text) && text->find('/') == std::string::npos &&
        is_folder(repository / "snapshots" / *text)) {
      return repository / "snapshots" / *text;
    }
    return std::unexpected(
        no_snapshot(repository, fmt::format("refs/{} names the snapshot \"{}\", which is not there",
                                            shown(name), shown(percent_escaped(*text)))));
  }
  if (!revision.empty() && revision.find('/') == std::string::npos &&
      is_folder(repository / "snapshots" / revision)) {
    return repository / "snapshots" / revision;
  }
  const auto snapshots = entries_of(repository / "snapshots");
  if (revision.empty() && snapshots.size() == 1) {
    return repository / "snapshots" / snapshots.front();
  }
  return std::unexpected(
      no_snapshot(repository, fmt::format("there is no revision \"{}\" among {} snapshots",
                                          shown(name), snapshots.size())));
}

std::string repository_name(const fs::path& repository) {
  std::string name = percent_escaped(repository.filename().string());
  if (!name.starts_with(prefix)) return name;
  name.erase(0, prefix.size());
  for (std::size_t at = name.find("--"); at != std::string::npos; at = name.find("--", at + 1)) {
    name.replace(at, 2, "/");
  }
  return name;
}

std::vector<std::string> unfinished_blobs(const fs::path& repository) {
  std::vector<std::string> names = entries_of(repository / "blobs");
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".incomplete"); });
  return names;
}

std::vector<fs::path> repositories_in(const fs::path& folder) {
  std::vector<fs::path> repositories;
  for (const std::string& name : entries_of(folder)) {
    if (name.starts_with(prefix) && is_hub_repository(folder / name)) {
      repositories.push_back(folder / name);
    }
  }
  return repositories;
}

}  // namespace pedigree
