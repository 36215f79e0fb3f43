#include "model/merge_recipe.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "model/card_yaml.h"

namespace pedigree {
namespace {

// A parent is `model: org/name`, the same inside {path: …}, an expert's
// `source_model`, or the recipe's `base_model`.
bool names_a_parent(const YamlScalar& scalar) {
  constexpr std::array<std::string_view, 5> keys = {"model", "source_model", "base_model",
                                                    "donor_model", "lora"};
  if (std::ranges::find(keys, scalar.key) != keys.end()) return true;
  return scalar.path.ends_with(".model.path") || scalar.path.ends_with(".lora.path") ||
         scalar.path == "base_model.path" || scalar.path == "base_model.model.path";
}

bool is_parameter(const YamlScalar& scalar) {
  constexpr std::array<std::string_view, 4> names = {"weight", "t", "lambda", "normalize"};
  return std::ranges::any_of(names, [&](std::string_view name) {
    const std::size_t at = scalar.path.find("parameters." + std::string(name));
    if (at == std::string::npos) return false;
    const std::size_t end = at + std::string_view("parameters.").size() + name.size();
    return end == scalar.path.size() || scalar.path[end] == '[' || scalar.path[end] == '.';
  });
}

std::optional<Claim::Kind> kind_of(const YamlScalar& scalar) {
  if (scalar.null || scalar.value.empty()) return std::nullopt;
  if (names_a_parent(scalar)) return Claim::Kind::merge_recipe;
  // How much of each: held against the weights once the parents are at hand.
  if (is_parameter(scalar)) return Claim::Kind::other;
  constexpr std::array<std::string_view, 6> told = {
      "merge_method", "tokenizer_source", "gate_mode", "layer_range", "dtype", "name"};
  if (std::ranges::find(told, scalar.key) != told.end()) return Claim::Kind::other;
  return std::nullopt;
}

struct Line {
  std::string_view text = {};
  std::size_t begin = 0;
};

std::optional<Line> next_line(std::string_view text, std::size_t& at) {
  if (at >= text.size()) return std::nullopt;
  const std::size_t end = std::min(text.find('\n', at), text.size());
  Line line{.text = text.substr(at, end - at), .begin = at};
  if (line.text.ends_with('\r')) line.text.remove_suffix(1);
  at = end + 1;
  return line;
}

// The fence a line opens or closes: "```" or "~~~", after at most three spaces.
std::string_view fence_of(std::string_view line) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  if (indent > 3) return {};
  line.remove_prefix(indent);
  return line.starts_with("```") || line.starts_with("~~~") ? line : std::string_view{};
}

bool opens_yaml(std::string_view fence) {
  fence.remove_prefix(std::min(fence.find_first_not_of("`~ "), fence.size()));
  const std::string_view language = fence.substr(0, fence.find_first_of(" \t{"));
  return language == "yaml" || language == "yml" || language == "YAML";
}

bool looks_like_a_recipe(std::string_view block) {
  return block.find("merge_method:") != block.npos || block.find("source_model:") != block.npos;
}

}  // namespace

RecipeReading read_merge_recipe(std::string_view text, std::string_view file, unsigned first_line) {
  RecipeReading reading;
  // mergekit-multi separates the stages of one recipe by document markers.
  auto document =
      flatten_yaml(text, {.file = file, .code = "merge-recipe-unparsed", .first_line = first_line},
                   {.documents = 64});
  if (!document) {
    reading.problems.push_back(std::move(document.error()));
    return reading;
  }
  reading.problems = std::move(document->problems);
  for (YamlScalar& scalar : document->scalars) {
    if (const auto kind = kind_of(scalar)) {
      reading.claims.push_back({.kind = *kind,
                                .key = std::move(scalar.path),
                                .value = std::move(scalar.value),
                                .file = std::string(file),
                                .line = scalar.line});
    }
  }
  return reading;
}

RecipeReading read_recipe_blocks(std::string_view card, std::string_view file) {
  RecipeReading all;
  std::size_t at = 0;
  unsigned number = 0;
  std::optional<std::pair<std::size_t, unsigned>> open;  // where the block's text begins
  bool other_block = false;
  std::size_t left = std::size_t{1} << 20U;  // bytes of recipes read in all
  while (const auto line = next_line(card, at)) {
    ++number;
    const std::string_view fence = fence_of(line->text);
    if (fence.empty()) continue;
    if (!open && !other_block) {
      if (opens_yaml(fence)) {
        open = {at, number + 1};
      } else {
        other_block = true;
      }
      continue;
    }
    other_block = false;
    if (!open) continue;
    const auto [begin, first_line] = *open;
    open.reset();
    const std::string_view block =
        begin < line->begin ? card.substr(begin, line->begin - begin) : std::string_view{};
    if (!looks_like_a_recipe(block)) continue;
    if (block.size() > left) {
      Problem problem = make_problem("merge-recipe-unparsed", std::string(file),
                                     "the card's recipes are too long to be read");
      problem.line = first_line;
      all.problems.push_back(std::move(problem));
      break;
    }
    left -= block.size();
    RecipeReading one = read_merge_recipe(block, file, first_line);
    std::ranges::move(one.claims, std::back_inserter(all.claims));
    std::ranges::move(one.problems, std::back_inserter(all.problems));
  }
  return all;
}

}  // namespace pedigree
