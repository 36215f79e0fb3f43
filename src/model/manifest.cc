#include "model/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "formats/formats.h"
#include "model/card.h"
#include "model/layout_modelfile.h"
#include "model/manifest_claims.h"
#include "model/manifest_json.h"
#include "model/merge_recipe.h"
#include "model/params_json.h"
#include "model/towers.h"
#include "model/training_config.h"

namespace pedigree {
namespace {

constexpr std::uint64_t max_side_bytes = std::uint64_t{16} << 20U;
constexpr std::size_t max_adapters = 64;

class ManifestReader {
 public:
  ManifestReader(const ModelLayout& layout, std::string_view folder, std::string_view part)
      : layout_(layout), folder_(folder), part_(part) {}

  Manifest read() {
    config();
    if (const auto document = json("generation_config.json")) {
      add_generation_claims(document->root, document->file, manifest_.claims);
    }
    for (const std::string_view leaf :
         {"quantize_config.json", "quant_config.json", "hf_quant_config.json"}) {
      if (const auto document = json(leaf)) {
        add_quantizer_claims(document->root, document->file, manifest_.claims);
        QuantizerFacts& known = manifest_.config.quantizer;
        if (known.file.empty()) known = quantizer_facts(document->root, document->file);
      }
    }
    adapter();
    tokenizer_configs();
    recipes();
    training_configs();
    modelfile();
    card();
    training_state();
    return std::move(manifest_);
  }

 private:
  struct Document {
    JsonValue root;
    std::string file;
  };

  std::optional<Document> json(std::string_view leaf) { return json_in(folder_, leaf); }

  std::optional<Document> json_in(std::string_view folder, std::string_view leaf) {
    auto side = read_side_file(layout_, folder, leaf, max_side_bytes, manifest_.problems);
    if (!side) return std::nullopt;
    auto root = parse_side_json(side->text, side->file, manifest_.problems);
    if (!root) return std::nullopt;
    return Document{.root = std::move(*root), .file = std::move(side->file)};
  }

  void config() {
    const bool there = holds("config.json");
    auto document = json("config.json");
    if (!document) {
      if (!there && params()) return;
      if (!there) document = renamed_config();
    }
    if (!document) {
      // An adapter carries adapter_config.json in its place.
      if (!there && !layout_.is_store && !holds("adapter_config.json")) {
        manifest_.problems.push_back(
            make_problem("config-missing", "config.json", "there is no config.json"));
      }
      return;
    }
    if (document->root.kind != JsonValue::Kind::object) {
      manifest_.problems.push_back(
          make_problem("json-malformed", document->file, "the config is not a JSON object"));
      return;
    }
    if (const JsonValue* described = of_part(document->root)) {
      manifest_.config = config_facts(*described, document->file);
    }
    add_config_claims(document->root, document->file, manifest_.claims);
    remote_code(*document);
  }

  // The object that describes the part; null where no config speaks of it.
  const JsonValue* of_part(const JsonValue& root) const {
    const auto key = tower_config(part_);
    if (!key) return nullptr;
    const JsonValue* object = key->empty() ? &root : root.find(*key);
    return object != nullptr && object->kind == JsonValue::Kind::object ? object : nullptr;
  }

  // "config_reconstructed.json": the only file so called that names a kind of model.
  std::optional<Document> renamed_config() {
    std::optional<Document> found;
    for (const ListedFile& file : layout_.files) {
      if (!file.path.starts_with("config") || !file.path.ends_with(".json")) continue;
      auto document = json_in({}, file.path);
      if (!document || document->root.find("model_type") == nullptr) continue;
      if (found) return std::nullopt;
      found = std::move(document);
    }
    if (!found) return std::nullopt;
    manifest_.problems.push_back(make_problem(
        "config-missing", "config.json",
        fmt::format("there is no config.json; {} was read in its place", found->file)));
    return found;
  }

  // Consolidated weights carry params.json in its place.
  bool params() {
    const auto document = json("params.json");
    if (!document) return false;
    manifest_.config = params_facts(document->root, document->file);
    return manifest_.config.present;
  }

  void remote_code(const Document& document) {
    const JsonValue* map = document.root.find("auto_map");
    if (map == nullptr || map->members.empty()) return;
    const JsonValue& first = map->members.front().second;
    const JsonValue& named =
        first.kind == JsonValue::Kind::array && !first.items.empty() ? first.items.front() : first;
    Problem problem =
        make_problem("remote-code", document.file,
                     fmt::format("auto_map makes a loader run the author's code, {} among it",
                                 shown(json_scalar_text(named).substr(0, 200))));
    problem.line = named.line;
    manifest_.problems.push_back(std::move(problem));
  }

  void adapter() {
    constexpr std::string_view leaf = "adapter_config.json";
    manifest_.adapter_config = holds(leaf);
    if (const auto document = json(leaf)) {
      add_adapter_claims(document->root, document->file, manifest_.claims);
      manifest_.adapter = adapter_declaration(document->root);
    }
    // Further adapters lie in folders of their own; the base one names is that
    // adapter's, not this model's.
    std::size_t others = 0;
    for (const ListedFile& file : layout_.files) {
      if (leaf_of(file.path) != leaf || folder_of(file.path) == folder_) continue;
      if (folder_of(file.path).empty() || ++others > max_adapters) continue;
      const auto document = json_in({}, file.path);
      if (!document) continue;
      std::vector<Claim> claims;
      add_adapter_claims(document->root, document->file, claims);
      for (Claim& claim : claims) claim.kind = Claim::Kind::other;
      std::ranges::move(claims, std::back_inserter(manifest_.claims));
    }
  }

  void tokenizer_configs() {
    for (const std::string_view leaf : {"tokenizer_config.json", "special_tokens_map.json"}) {
      const auto document = json(leaf);
      if (!document) continue;
      add_tokenizer_config_claims(document->root, document->file, manifest_.claims);
      remote_code(*document);
    }
  }

  void recipes() {
    for (const ListedFile& file : layout_.files) {
      if (side_file_kind(file.path) != "merge-recipe" || !folder_of(file.path).empty()) continue;
      const auto side = read_side_file(layout_, {}, file.path, max_side_bytes, manifest_.problems);
      if (side) take(read_merge_recipe(side->text, side->file));
    }
  }

  void training_configs() {
    for (const ListedFile& file : layout_.files) {
      if (side_file_kind(file.path) != "training-config" || !folder_of(file.path).empty()) continue;
      const auto side = read_side_file(layout_, {}, file.path, max_side_bytes, manifest_.problems);
      if (side) take(read_training_config(side->text, side->file));
    }
  }

  void modelfile() {
    for (const ListedFile& file : layout_.files) {
      if (!is_modelfile_name(file.path)) continue;
      const auto side = read_side_file(layout_, {}, file.path, max_side_bytes, manifest_.problems);
      if (!side) continue;
      std::ranges::move(modelfile_claims(side->text, side->file, manifest_.problems),
                        std::back_inserter(manifest_.claims));
    }
  }

  void card() {
    for (const ListedFile& file : layout_.files) {
      if (side_file_kind(file.path) != "card" || !folder_of(file.path).empty()) continue;
      const auto side = read_side_file(layout_, {}, file.path, max_side_bytes, manifest_.problems);
      if (!side) return;
      CardReading reading = read_card(side->text, side->file);
      take(RecipeReading{.claims = std::move(reading.claims),
                         .problems = std::move(reading.problems)});
      return;
    }
    if (layout_.is_store) return;
    manifest_.problems.push_back(
        make_problem("card-missing", "README.md", "there is no model card"));
  }

  void take(RecipeReading reading) {
    std::ranges::move(reading.claims, std::back_inserter(manifest_.claims));
    std::ranges::move(reading.problems, std::back_inserter(manifest_.problems));
  }

  void training_state() {
    std::vector<std::string_view> found;
    for (const ListedFile& file : layout_.files) {
      if (side_file_kind(file.path) == "training-state") found.push_back(file.path);
    }
    if (found.empty()) return;
    manifest_.problems.push_back(make_problem(
        "training-state-present", std::string(found.front()),
        found.size() == 1
            ? "a trainer left this behind"
            : fmt::format("a trainer left this and {} other files behind", found.size() - 1)));
  }

  bool holds(std::string_view leaf) const {
    return layout_.find(std::string(folder_) + std::string(leaf)) != nullptr ||
           layout_.find(leaf) != nullptr;
  }

  const ModelLayout& layout_;
  std::string_view folder_;
  std::string_view part_;
  Manifest manifest_;
};

}  // namespace

Manifest read_manifest(const ModelLayout& layout, std::string_view folder, std::string_view part) {
  return ManifestReader(layout, folder, part).read();
}

std::optional<SideText> read_side_file(const ModelLayout& layout, std::string_view folder,
                                       std::string_view leaf, std::uint64_t limit,
                                       std::vector<Problem>& problems) {
  const ListedFile* file = layout.find(std::string(folder) + std::string(leaf));
  if (file == nullptr) file = layout.find(leaf);
  if (file == nullptr) return std::nullopt;
  auto text = read_small_file(file->real_path, file->path, limit);
  if (!text) {
    problems.push_back(make_problem("auxiliary-file-unreadable", file->path, text.error().message));
    return std::nullopt;
  }
  if (read_lfs_pointer(*text)) {
    problems.push_back(make_problem("auxiliary-file-unreadable", file->path,
                                    "a git-lfs pointer stands in its place"));
    return std::nullopt;
  }
  return SideText{.text = std::move(*text), .file = file->path};
}

}  // namespace pedigree
