#include "model/card.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/text.h"
#include "model/card_yaml.h"
#include "model/merge_recipe.h"

namespace pedigree {
namespace {

struct FrontMatter {
  std::string_view text = {};
  bool closed = false;
};

std::string_view trimmed_line(std::string_view text, std::size_t begin, std::size_t end) {
  std::string_view line = text.substr(begin, end - begin);
  while (line.ends_with('\r') || line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
  return line;
}

// The text between a first line "---" and the next such line; none when the
// card does not begin with one.
std::optional<FrontMatter> front_matter(std::string_view card) {
  std::size_t end = std::min(card.find('\n'), card.size());
  if (trimmed_line(card, 0, end) != "---") return std::nullopt;
  const std::size_t begin = std::min(end + 1, card.size());
  std::size_t at = begin;
  while (at < card.size()) {
    end = std::min(card.find('\n', at), card.size());
    if (trimmed_line(card, at, end) == "---") {
      return FrontMatter{.text = card.substr(begin, at - begin), .closed = true};
    }
    at = end + 1;
  }
  return FrontMatter{.text = card.substr(begin), .closed = false};
}

bool is_relation(std::string_view value) {
  return value == "finetune" || value == "adapter" || value == "merge" || value == "quantized";
}

std::optional<Claim::Kind> kind_of(const YamlScalar& scalar) {
  using enum Claim::Kind;
  if (scalar.top == "base_model") return base_model;
  if (scalar.top == "base_model_relation") return base_model_relation;
  if (scalar.top == "license" || scalar.top == "license_name" || scalar.top == "license_link") {
    return license;
  }
  if (scalar.top == "tags") return tag;
  if (scalar.top == "model_name" || scalar.path == "model-index[0].name") return name;
  if (scalar.top == "quantized_by") return quantization;
  if (scalar.top == "new_version" || scalar.top == "library_name" ||
      scalar.top == "model_creator") {
    return other;
  }
  return std::nullopt;
}

class ClaimCollector {
 public:
  ClaimCollector(std::string_view file, std::vector<Claim>& claims)
      : file_(file), claims_(claims) {}

  void take(const YamlScalar& scalar) {
    const auto kind = kind_of(scalar);
    if (!kind || scalar.null || scalar.value.empty()) return;
    if (*kind == Claim::Kind::tag && take_lineage_tag(scalar)) return;
    add(*kind, scalar, scalar.value);
  }

 private:
  void add(Claim::Kind kind, const YamlScalar& scalar, std::string_view value) {
    claims_.push_back({.kind = kind,
                       .key = scalar.path,
                       .value = std::string(value),
                       .file = std::string(file_),
                       .line = scalar.line});
  }

  // The model hub writes lineage into tags as base_model:<id> and
  // base_model:<relation>:<id>; copies of cards sometimes carry these.
  bool take_lineage_tag(const YamlScalar& scalar) {
    constexpr std::string_view prefix = "base_model:";
    std::string_view rest = scalar.value;
    if (!rest.starts_with(prefix)) return false;
    rest.remove_prefix(prefix.size());
    const std::size_t colon = rest.find(':');
    const std::string_view relation = colon == rest.npos ? "" : rest.substr(0, colon);
    if (is_relation(relation)) {
      add(Claim::Kind::base_model_relation, scalar, relation);
      rest.remove_prefix(colon + 1);
    }
    if (!rest.empty()) add(Claim::Kind::base_model, scalar, rest);
    return true;
  }

  std::string_view file_;
  std::vector<Claim>& claims_;
};

void note_missing_base(const std::vector<YamlScalar>& scalars, std::string_view file,
                       CardReading& reading) {
  const bool named = std::ranges::any_of(reading.claims, [](const Claim& claim) {
    return claim.kind == Claim::Kind::base_model || claim.kind == Claim::Kind::merge_recipe;
  });
  if (named) return;
  const auto empty = std::ranges::find(scalars, "base_model", &YamlScalar::top);
  const bool stands = empty != scalars.end();
  Problem problem = make_problem("card-base-model-missing", std::string(file),
                                 stands ? "base_model stands in the card without a value"
                                        : "the card does not say what the model was made from");
  if (stands) problem.line = empty->line;
  reading.problems.push_back(std::move(problem));
}

void note_unknown_relation(std::string_view file, CardReading& reading) {
  for (const Claim& claim : reading.claims) {
    if (claim.kind != Claim::Kind::base_model_relation || is_relation(claim.value)) continue;
    Problem problem = make_problem(
        "card-relation-unknown", std::string(file),
        fmt::format("base_model_relation is \"{}\"", shown(claim.value.substr(0, 40))));
    problem.line = claim.line;
    reading.problems.push_back(std::move(problem));
  }
}

}  // namespace

CardReading read_card(std::string_view text, std::string_view file) {
  CardReading reading;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  RecipeReading recipes = read_recipe_blocks(text, file);
  const auto matter = front_matter(text);
  std::vector<YamlScalar> scalars;
  bool understood = true;
  if (matter && !matter->closed) {
    Problem problem = make_problem("card-unparsed", std::string(file),
                                   "the front matter opens with --- and never closes");
    problem.line = 1;
    reading.problems.push_back(std::move(problem));
    understood = false;
  } else if (matter) {
    auto document = flatten_yaml(matter->text, {.file = file, .first_line = 2});
    if (document) {
      scalars = std::move(document->scalars);
      reading.problems = std::move(document->problems);
      ClaimCollector collector(file, reading.claims);
      for (const YamlScalar& scalar : scalars) collector.take(scalar);
    } else {
      reading.problems.push_back(std::move(document.error()));
      understood = false;
    }
  }
  note_unknown_relation(file, reading);
  std::ranges::move(recipes.claims, std::back_inserter(reading.claims));
  std::ranges::move(recipes.problems, std::back_inserter(reading.problems));
  if (understood) note_missing_base(scalars, file, reading);
  return reading;
}

}  // namespace pedigree
