#include "model/layout_image.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/confinement.h"
#include "base/digest.h"
#include "base/text.h"
#include "model/manifest_json.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t most_manifest_bytes = std::uint64_t{4} << 20U;
constexpr std::size_t most_layers = 100'000;
constexpr unsigned store_depth = 6;  // manifests/<host>/<namespace>/<model>/<tag>

// What is behind the last dot of a media type, and what such a layer is called here.
using Kind = std::pair<std::string_view, std::string_view>;
constexpr std::array kinds = {Kind{"image.model", "model.gguf"},
                              Kind{"image.adapter", "adapter_model.gguf"},
                              Kind{"image.projector", "projector/mmproj.gguf"},
                              Kind{"image.draft", "draft/model.gguf"},
                              Kind{"image.template", "template"},
                              Kind{"image.system", "system"},
                              Kind{"image.params", "params"},
                              Kind{"image.messages", "messages"},
                              Kind{"image.license", "license"},
                              Kind{"image.prompt", "prompt"},
                              Kind{"image.embed", "embed"},
                              Kind{"ai.gguf.v3", "model.gguf"},
                              Kind{"ai.safetensors", "model.safetensors"},
                              Kind{"ai.license", "license"}};

std::string text_at(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  return std::string(value == nullptr ? "" : value->as_string().value_or(""));
}

std::string confined(const std::string& name) {
  return is_confined_name(name) ? name : std::string();
}

// The file's name where a packer said it.
std::string said_name(const JsonValue& layer) {
  if (std::string name = confined(text_at(layer, "name")); !name.empty()) return name;
  const JsonValue* notes = layer.find("annotations");
  if (notes == nullptr) return {};
  for (const std::string_view key :
       {"org.cncf.model.filepath", "org.cnai.model.filepath", "org.opencontainers.image.title"}) {
    if (std::string name = confined(text_at(*notes, key)); !name.empty()) return name;
  }
  return {};
}

std::optional<ImageLayer> layer_of(const JsonValue& value) {
  constexpr std::string_view algorithm = "sha256:";
  const std::string digest = text_at(value, "digest");
  if (!digest.starts_with(algorithm)) return std::nullopt;
  const auto bytes = sha256_from_hex(std::string_view(digest).substr(algorithm.size()));
  if (!bytes) return std::nullopt;
  return ImageLayer{.media_type = text_at(value, "mediaType"),
                    .sha256 = to_hex(*bytes),
                    .name = said_name(value),
                    .from = text_at(value, "from"),
                    .line = value.line};
}

Problem malformed_manifest(std::string_view file, std::string message) {
  return make_problem("manifest-malformed", std::string(file), std::move(message));
}

// blobs/ of the store a manifest lies in.
std::optional<fs::path> blobs_for(const fs::path& manifest) {
  fs::path folder = manifest.parent_path();
  for (unsigned up = 0; up < store_depth && folder.has_relative_path(); ++up) {
    std::error_code error;
    if (folder.filename() == "blobs") return folder;
    if (fs::is_directory(folder / "blobs", error)) return folder / "blobs";
    folder = folder.parent_path();
  }
  return std::nullopt;
}

// "llama3:latest" of manifests/registry.ollama.ai/library/llama3/latest.
std::string image_name(const fs::path& manifest) {
  std::vector<std::string> parts;
  for (const fs::path& part : manifest) parts.push_back(part.string());
  const auto at = std::ranges::find(parts, "manifests");
  if (parts.end() - at != 5) return percent_escaped(manifest.filename().string());
  std::string name = *(at + 3) + ":" + *(at + 4);
  if (*(at + 2) != "library") name = *(at + 2) + "/" + name;
  if (*(at + 1) != "registry.ollama.ai") name = *(at + 1) + "/" + name;
  return percent_escaped(name);
}

class Image {
 public:
  Image(const fs::path& manifest, fs::path blobs) : manifest_(manifest), blobs_(std::move(blobs)) {}

  ModelLayout open(const ImageManifest& image) {
    layout_.name = image_name(manifest_);
    layout_.is_store = true;
    if (image.config) {
      said_.emplace("image-config", image.config->sha256);
      given_.insert("image-config");
    }
    for (const ImageLayer& layer : image.layers) {
      if (!layer.name.empty()) said_.emplace(own_name(layer), layer.sha256);
    }
    for (const ImageLayer& layer : image.layers) {
      add(layer, layer_name(layer));
      if (!layer.from.empty()) claim(Claim::Kind::base_model, "layers.from", layer.from, layer);
    }
    if (image.config) {
      add(*image.config, "image-config");
      read_config(*image.config);
    }
    std::ranges::sort(layout_.files, {}, &ListedFile::path);
    return std::move(layout_);
  }

 private:
  void claim(Claim::Kind kind, std::string key, std::string value, const ImageLayer& layer) {
    layout_.claims.push_back({.kind = kind,
                              .key = std::move(key),
                              .value = std::move(value),
                              .file = percent_escaped(manifest_.filename().string()),
                              .line = layer.line});
  }

  // As the manifest says it, or as its kind is called.
  static std::string own_name(const ImageLayer& layer) {
    if (layer.media_type.ends_with("image.tensor")) {
      return layer.name.empty() ? "tensor.safetensors" : layer.name + ".safetensors";
    }
    if (!layer.name.empty()) return layer.name;
    const auto kind = std::ranges::find_if(
        kinds, [&](const Kind& each) { return layer.media_type.ends_with(each.first); });
    return kind == kinds.end() ? "layer" : std::string(kind->second);
  }

  // No two layers go by one name, and a name that is said is not given to another.
  std::string layer_name(const ImageLayer& layer) {
    std::string name = own_name(layer);
    const auto said = said_.find(name);
    const bool may_have_it =
        said == said_.end() || (!layer.name.empty() && said->second == layer.sha256);
    if (may_have_it && given_.insert(name).second) return name;
    if (!layer.name.empty() && said->second != layer.sha256) tell_twice(name, layer);
    std::size_t& last = numbers_.try_emplace(name, 1).first->second;
    std::string free;
    do {
      free = numbered(name, ++last);
    } while (said_.contains(free) || !given_.insert(free).second);
    return free;
  }

  // "license-2", "model-2.gguf"
  static std::string numbered(std::string name, std::size_t number) {
    const std::size_t leaf = name.rfind('/') + 1;  // 0 without folders
    const std::size_t dot = name.rfind('.');
    const std::size_t at = dot == std::string::npos || dot < leaf ? name.size() : dot;
    return name.insert(at, fmt::format("-{}", number));
  }

  void tell_twice(const std::string& name, const ImageLayer& layer) {
    constexpr std::ptrdiff_t most_told = 20;
    if (std::ranges::count(layout_.problems, "manifest-malformed", &Problem::code) >= most_told) {
      return;
    }
    Problem problem = malformed_manifest(
        percent_escaped(manifest_.filename().string()),
        fmt::format("two layers of different bytes are called \"{}\"", shown(name.substr(0, 200))));
    problem.line = layer.line;
    layout_.problems.push_back(std::move(problem));
  }

  std::optional<fs::path> blob_of(const ImageLayer& layer) const {
    for (const fs::path& place :
         {blobs_ / ("sha256-" + layer.sha256), blobs_ / "sha256" / layer.sha256}) {
      std::error_code error;
      fs::path real = fs::canonical(place, error);
      if (error || !fs::is_regular_file(real, error)) continue;
      if (lies_within(real, blobs_.parent_path())) return real;
    }
    return std::nullopt;
  }

  void add(const ImageLayer& layer, const std::string& name) {
    const auto blob = blob_of(layer);
    std::error_code error;
    const std::uintmax_t size = blob ? fs::file_size(*blob, error) : 0;
    if (!blob || error) {
      layout_.problems.push_back(make_problem(
          has_weight_name(name) ? "image-blob-missing" : "auxiliary-file-unreadable", name,
          fmt::format("sha256 {} is not among the blobs of this store", layer.sha256)));
      return;
    }
    layout_.files.push_back({.path = name, .real_path = blob->string(), .size = size});
    layout_.expected.emplace(name, layer.sha256);
  }

  void read_config(const ImageLayer& layer) {
    const auto blob = blob_of(layer);
    if (!blob) return;
    const auto text = read_small_file(blob->string(), "image-config", most_manifest_bytes);
    if (!text) return;
    const auto root = parse_side_json(*text, "image-config", layout_.problems);
    if (!root) return;
    using enum Claim::Kind;
    constexpr std::array<std::pair<std::string_view, Claim::Kind>, 7> keys = {
        {{"model_family", architecture},
         {"file_type", quantization},
         {"base_name", other},
         {"model_type", other},
         {"remote_host", other},
         {"remote_model", other},
         {"config.format", other}}};
    for (const auto& [key, kind] : keys) {
      const JsonValue* value = json_at(*root, key);
      if (value == nullptr || json_scalar_text(*value).empty()) continue;
      layout_.claims.push_back({.kind = kind,
                                .key = std::string(key),
                                .value = json_scalar_text(*value),
                                .file = "image-config",
                                .line = value->line});
    }
    if (const std::string host = text_at(*root, "remote_host"); !host.empty()) {
      layout_.problems.push_back(make_problem(
          "weights-elsewhere", "image-config",
          fmt::format("this model runs at {}; no weights are here", shown(host.substr(0, 200)))));
    }
  }

  const fs::path& manifest_;
  fs::path blobs_;
  std::map<std::string, std::string, std::less<>> said_;  // by name: SHA-256 of who says it first
  std::map<std::string, std::size_t, std::less<>> numbers_;  // by name: the last one given
  std::set<std::string, std::less<>> given_;
  ModelLayout layout_;
};

// Regular files below a folder, sorted; nothing is followed.
std::vector<fs::path> files_below(const fs::path& folder) {
  constexpr std::size_t most = 100'000;
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (const fs::recursive_directory_iterator end; !error && at != end && found.size() < most;
       at.increment(error)) {
    if (at.depth() >= static_cast<int>(store_depth)) at.disable_recursion_pending();
    if (at->is_regular_file(error) && !at->path().filename().string().starts_with('.')) {
      found.push_back(at->path());
    }
  }
  std::ranges::sort(found);
  return found;
}

Result<std::optional<fs::path>> image_of_layout(const fs::path& folder) {
  std::vector<Problem> problems;
  const auto text =
      read_small_file((folder / "index.json").string(), "index.json", most_manifest_bytes);
  if (!text) return std::unexpected(text.error());
  const auto root = parse_side_json(*text, "index.json", problems);
  const JsonValue* list = root ? root->find("manifests") : nullptr;
  if (list == nullptr || list->items.size() != 1) {
    return std::unexpected(make_problem(
        "not-a-model", percent_escaped(folder.filename().string()),
        fmt::format("this image layout holds {} images; name a manifest among its blobs",
                    list == nullptr ? 0 : list->items.size())));
  }
  const auto layer = layer_of(list->items.front());
  if (!layer) return std::unexpected(malformed_manifest("index.json", "there is no SHA-256"));
  return folder / "blobs" / "sha256" / layer->sha256;
}

}  // namespace

bool may_be_image_manifest(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  // No text holds a NUL; the lengths at the head of binary files do.
  return first != text.npos && text[first] == '{' && !text.contains('\0') &&
         text.contains("\"schemaVersion\"");
}

Result<ImageManifest> parse_image_manifest(std::string_view text, std::string_view file) {
  std::vector<Problem> problems;
  const auto root = parse_side_json(text, file, problems);
  if (!root) return std::unexpected(problems.front());
  const JsonValue* layers = root->find("layers");
  if (layers == nullptr || layers->kind != JsonValue::Kind::array) {
    return std::unexpected(malformed_manifest(file, "there is no list of layers"));
  }
  if (layers->items.size() > most_layers) {
    return std::unexpected(malformed_manifest(file, "there are too many layers"));
  }
  ImageManifest image;
  for (const JsonValue& each : layers->items) {
    auto layer = layer_of(each);
    if (!layer) {
      Problem problem = malformed_manifest(file, "a layer has no SHA-256 digest");
      problem.line = each.line;
      return std::unexpected(std::move(problem));
    }
    image.layers.push_back(std::move(*layer));
  }
  if (const JsonValue* config = root->find("config")) image.config = layer_of(*config);
  return image;
}

Result<ModelLayout> layout_of_image(const fs::path& manifest) {
  const std::string name = percent_escaped(manifest.filename().string());
  const auto text = read_small_file(manifest.string(), name, most_manifest_bytes);
  if (!text) return std::unexpected(text.error());
  const auto image = parse_image_manifest(*text, name);
  if (!image) return std::unexpected(image.error());
  auto blobs = blobs_for(manifest);
  if (!blobs) {
    return std::unexpected(
        make_problem("not-a-model", name, "no folder above this manifest has blobs"));
  }
  return Image(manifest, *std::move(blobs)).open(*image);
}

Result<std::optional<fs::path>> image_in(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder / "blobs", error)) return std::optional<fs::path>{};
  if (fs::is_regular_file(folder / "oci-layout", error)) return image_of_layout(folder);
  if (!fs::is_directory(folder / "manifests", error)) return std::optional<fs::path>{};
  const std::vector<fs::path> found = files_below(folder / "manifests");
  if (found.size() == 1) return found.front();
  constexpr std::size_t most_named = 8;
  std::vector<std::string> names;
  for (const fs::path& each : found) {
    if (names.size() == most_named) break;
    names.push_back(each.lexically_relative(folder).string());
  }
  return std::unexpected(make_problem(
      "not-a-model", percent_escaped(folder.filename().string()),
      found.empty() ? "this store holds no model"
                    : fmt::format("this store holds {} models; name a manifest: {}{}", found.size(),
                                  percent_escaped(fmt::format("{}", fmt::join(names, ", "))),
                                  found.size() > most_named ? ", …" : "")));
}

}  // namespace pedigree
