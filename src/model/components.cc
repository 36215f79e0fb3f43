#include "model/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/confinement.h"
#include "base/files.h"
#include "base/text.h"
#include "model/layout.h"
#include "model/layout_hub.h"
#include "model/manifest_json.h"
#include "model/model.h"
#include "model/towers.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t most_index_bytes = std::uint64_t{1} << 20U;
constexpr std::size_t most_components = 256;

// Does `path`, which is there, lie below `confinement` once its links are followed?
bool stays_inside(const fs::path& path, const fs::path& confinement) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return !error && lies_within(real, confinement);
}

Problem escape(const std::string& name) {
  return make_problem("symlink-escape", percent_escaped(name),
                      "the symbolic link leads outside the model; what it leads to was left out");
}

// May this folder hold a model's weights, on its first floor?
bool holds_weights(const fs::path& folder, const fs::path& confinement) {
  const auto listing = list_directory(folder.string(), confinement.string(), 0);
  if (!listing) return false;
  return std::ranges::any_of(listing->files,
                             [](const ListedFile& file) { return has_weight_name(file.path); });
}

std::string text_of(const JsonValue& value) { return std::string(value.as_string().value_or("")); }

// `value` is the [library, class] of the folder `key`.
void take_component(const std::string& key, const JsonValue& value, const fs::path& folder,
                    const fs::path& confinement, Components& found) {
  std::error_code error;
  const fs::path path = folder / key;
  const bool there = fs::is_directory(path, error);
  if (there && !stays_inside(path, confinement)) {
    if (found.problems.size() < most_components) found.problems.push_back(escape(key));
  } else if (there && holds_weights(path, confinement)) {
    found.components.push_back({.name = key,
                                .path = path.string(),
                                .library = text_of(value.items[0]),
                                .type = text_of(value.items[1])});
  } else {
    found.others.push_back(key);
  }
}

std::optional<Components> pipeline_in(const fs::path& folder, const fs::path& confinement,
                                      std::string name) {
  constexpr const char* leaf = "model_index.json";
  std::error_code error;
  if (!fs::is_regular_file(folder / leaf, error) || !stays_inside(folder / leaf, confinement)) {
    return std::nullopt;
  }
  const auto text = read_small_file((folder / leaf).string(), leaf, most_index_bytes);
  if (!text) return std::nullopt;
  Components found{.kind = Components::Kind::pipeline, .name = std::move(name)};
  const auto root = parse_side_json(*text, leaf, found.problems);
  if (!root || root->kind != JsonValue::Kind::object) return std::nullopt;
  for (const auto& [key, value] : root->members) {
    if (found.components.size() == most_components) break;
    // [library, class]; both null where the pipeline does without it.
    const bool pair = value.items.size() == 2 && value.items[1].as_string().has_value();
    const bool plain = is_confined_name(key) && !key.contains('/') && !key.starts_with('_');
    if (pair && plain) take_component(key, value, folder, confinement, found);
  }
  if (found.components.empty()) return std::nullopt;
  std::ranges::sort(found.components, {}, &Component::name);
  return found;
}

std::optional<Components> folders_in(const fs::path& folder) {
  const auto listing = list_directory(folder.string());
  if (!listing) return std::nullopt;
  const std::vector<std::string> models = models_below(listing->files);
  if (models.size() < 2) return std::nullopt;
  Components found{.kind = Components::Kind::folders,
                   .name = percent_escaped(folder.filename().string())};
  // What lies deeper is told by the models themselves.
  std::ranges::copy_if(listing->problems, std::back_inserter(found.problems),
                       [](const Problem& each) { return !each.file.contains('/'); });
  for (const std::string& model : models) {
    if (found.components.size() == most_components) break;
    const std::string name = model.substr(0, model.size() - 1);
    found.components.push_back({.name = name, .path = (folder / name).string()});
  }
  return found;
}

// Does a directory's config speak of more than one model, or is this one weight file?
bool may_hold_towers(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return has_weight_name(path);
  const auto layout = find_layout(path, {});
  const ListedFile* config = layout ? layout->find("config.json") : nullptr;
  if (config == nullptr) return false;
  const auto text = read_small_file(config->real_path, config->path, most_index_bytes);
  if (!text) return false;
  constexpr std::array<std::string_view, 6> signs = {"\"vision_config\"",   "\"audio_config\"",
                                                     "\"mm_vision_tower\"", "\"visual\"",
                                                     "\"vision_tower\"",    "\"vision_model\""};
  return std::ranges::any_of(signs, [&](std::string_view sign) { return text->contains(sign); });
}

}  // namespace

std::optional<Components> find_pipeline(const std::string& path) {
  std::error_code error;
  const fs::path folder = fs::canonical(path, error);
  if (error || !fs::is_directory(folder, error)) return std::nullopt;
  if (is_hub_repository(folder)) {
    const auto snapshot = find_snapshot(folder, {});
    return snapshot ? pipeline_in(*snapshot, folder, repository_name(folder)) : std::nullopt;
  }
  if (const auto repository = repository_of_snapshot(folder)) {
    return pipeline_in(folder, *repository, repository_name(*repository));
  }
  return pipeline_in(folder, folder, percent_escaped(folder.filename().string()));
}

std::optional<Components> find_towers(const std::string& path) {
  if (!may_hold_towers(path)) return std::nullopt;
  const auto whole = open_model(path);
  if (!whole) return std::nullopt;
  const std::vector<std::string> towers = towers_of((*whole)->tensors);
  if (towers.empty()) return std::nullopt;
  Components found{.kind = Components::Kind::towers, .name = (*whole)->name};
  for (const std::string& tower : towers) {
    const auto part = open_model(path, {.part = tower});
    if (!part) continue;
    found.components.push_back({.name = tower,
                                .path = fmt::format("{}::{}", path, tower),
                                .type = parse_structure((*part)->architecture.structure).kind});
  }
  return found;
}

std::optional<Components> find_components(const std::string& path) {
  if (auto pipeline = find_pipeline(path)) return pipeline;
  if (auto towers = find_towers(path)) return towers;
  std::error_code error;
  const fs::path folder = fs::canonical(path, error);
  if (error || !fs::is_directory(folder, error) || is_hub_repository(folder) ||
      repository_of_snapshot(folder)) {
    return std::nullopt;
  }
  const auto repositories = repositories_in(folder);
  if (repositories.size() < 2) return folders_in(folder);
  Components found{.kind = Components::Kind::repositories,
                   .name = percent_escaped(folder.filename().string())};
  for (const fs::path& each : repositories) {
    if (found.components.size() == most_components) break;
    if (!stays_inside(each, folder)) {
      if (found.problems.size() < most_components) {
        found.problems.push_back(escape(each.filename().string()));
      }
      continue;
    }
    found.components.push_back({.name = repository_name(each), .path = each.string()});
  }
  return found;
}

}  // namespace pedigree
