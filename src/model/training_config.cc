#include "model/training_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/card_yaml.h"

namespace pedigree {
namespace {

// axolotl: base_model; LLaMA-Factory: model_name_or_path, under top. in its board's file;
// NeMo and others: restore_from_path, pretrained_model_name_or_path.
constexpr std::array<std::string_view, 5> parents = {
    "base_model", "model_name_or_path", "top.model_path", "pretrained_model_name_or_path",
    "restore_from_path"};

}  // namespace

RecipeReading read_training_config(std::string_view text, std::string_view file) {
  RecipeReading reading;
  auto document = flatten_yaml(text, {.file = file, .code = "auxiliary-file-unreadable"});
  if (!document) return reading;
  for (YamlScalar& scalar : document->scalars) {
    if (scalar.null || scalar.value.empty()) continue;
    if (std::ranges::find(parents, std::string_view(scalar.path)) == parents.end()) continue;
    reading.claims.push_back({.kind = Claim::Kind::base_model,
                              .key = std::move(scalar.path),
                              .value = std::move(scalar.value),
                              .file = std::string(file),
                              .line = scalar.line});
  }
  return reading;
}

}  // namespace pedigree
