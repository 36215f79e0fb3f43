#include "tasks/declared_merge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

namespace pedigree {
namespace {

constexpr std::string_view t_name = "parameters.t";
constexpr double same_weight = 0.03;
constexpr double other_weight = 0.06;
constexpr double same_t = 0.05;
constexpr double other_t = 0.1;

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// A list of values over the layers, for tensors whose name holds `filter`.
struct Gradient {
  std::string filter = {};
  std::vector<double> values = {};

  // mergekit spreads the values evenly from the first layer to the last.
  double at(double place) const {
    if (values.size() == 1) return values.front();
    const double step = place * static_cast<double>(values.size() - 1);
    const auto low = std::min(static_cast<std::size_t>(step), values.size() - 2);
    return std::lerp(values[low], values[low + 1], step - static_cast<double>(low));
  }
};

struct RecipeParent {
  const Claim* claim = nullptr;
  std::string candidate = {};  // "" when it was not compared
  const Claim* weight = nullptr;
};

struct Recipe {
  const Claim* method = nullptr;
  std::string base = {};  // name of the candidate that base_model names
  std::vector<RecipeParent> parents = {};
  const Claim* first_t = nullptr;
  std::map<std::string, Gradient> t = {};  // by the path of the entry
  double lambda = 1;
  std::optional<bool> normalize = {};
  bool one_stage = true;
};

class RecipeReader {
 public:
  RecipeReader(const ModelInfo& model, const std::vector<Candidate>& candidates)
      : model_(model), candidates_(candidates) {}

  Recipe read() {
    file_ = recipe_file();
    for (const Claim& claim : model_.claims) {
      if (claim.file != file_) continue;
      if (claim.kind == Claim::Kind::merge_recipe) add_parent(claim);
      if (claim.key.ends_with("merge_method")) {
        recipe_.one_stage = recipe_.one_stage && recipe_.method == nullptr;
        recipe_.method = &claim;
      }
    }
    for (const Claim& claim : model_.claims) {
      if (claim.file == file_) add_parameter(claim);
    }
    return std::move(recipe_);
  }

 private:
  // Cards repeat the recipe; its own file comes first.
  std::string recipe_file() const {
    std::string file;
    for (const Claim& claim : model_.claims) {
      if (!claim.key.ends_with("merge_method")) continue;
      if (file.empty() || !claim.file.ends_with(".md")) file = claim.file;
    }
    return file;
  }

  std::string candidate_of(const Claim& claim) const {
    const auto at = std::ranges::find_if(
        candidates_, [&](const Candidate& each) { return names_candidate(claim, each); });
    return at == candidates_.end() ? std::string() : at->name;
  }

  void add_parent(const Claim& claim) {
    if (claim.key.starts_with("base_model")) {
      recipe_.base = candidate_of(claim);
    } else {
      recipe_.parents.push_back({.claim = &claim, .candidate = candidate_of(claim)});
    }
  }

  void add_parameter(const Claim& claim) {
    if (claim.kind != Claim::Kind::other) return;
    if (claim.key == "parameters.lambda") recipe_.lambda = number_of(claim.value).value_or(1);
    if (claim.key == "parameters.normalize") recipe_.normalize = claim.value == "true";
    constexpr std::string_view weight = ".parameters.weight";
    if (claim.key.ends_with(weight)) {
      const std::string place = claim.key.substr(0, claim.key.size() - weight.size());
      for (RecipeParent& parent : recipe_.parents) {
        if (parent.claim->key.starts_with(place + ".model")) parent.weight = &claim;
      }
    }
    add_t(claim);
  }

  // parameters.t, .t[1], .t[0].filter, .t[0].value, .t[0].value[2]
  void add_t(const Claim& claim) {
    const std::size_t at = claim.key.find(t_name);
    if (at == std::string::npos) return;
    const std::string rest = claim.key.substr(at + t_name.size());
    if (!rest.empty() && rest.front() != '[') return;
    if (recipe_.first_t == nullptr) recipe_.first_t = &claim;
    const std::size_t dot = rest.find('.');
    Gradient& gradient = recipe_.t[dot == std::string::npos ? "" : rest.substr(0, dot)];
    if (rest.ends_with(".filter")) {
      gradient.filter = claim.value;
    } else if (const auto value = number_of(claim.value)) {
      gradient.values.push_back(*value);
    }
  }

  const ModelInfo& model_;
  const std::vector<Candidate>& candidates_;
  std::string file_;
  Recipe recipe_;
};

bool among(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// What the weights may show of a method that a recipe names. A star stands for any end.
struct MethodRule {
  std::string_view claimed;
  std::vector<std::string_view> confirmed;
  std::vector<std::string_view> contradicted;
};

const std::vector<MethodRule>& method_rules() {
  static const std::vector<MethodRule> rules = {
      {.claimed = "linear",
       .confirmed = {"linear*", "task-arithmetic"},
       .contradicted = {"dare*", "della", "ties*", "slerp"}},
      {.claimed = "slerp",
       .confirmed = {"slerp", "linear/slerp"},
       .contradicted = {"dare*", "della", "ties*", "linear"}},
      {.claimed = "task_arithmetic",
       .confirmed = {"linear*", "task-arithmetic"},
       .contradicted = {"dare*", "della", "ties*"}},
      {.claimed = "ties",
       .confirmed = {"ties*"},
       .contradicted = {"dare*", "della", "linear*", "task-arithmetic"}},
      {.claimed = "dare_*", .confirmed = {"dare*"}, .contradicted = {"ties"}},
      {.claimed = "model_stock", .confirmed = {"model-stock"}, .contradicted = {}},
      {.claimed = "passthrough", .confirmed = {"passthrough"}, .contradicted = {"*"}},
      {.claimed = "arcee_fusion", .confirmed = {"ties/arcee-fusion"}, .contradicted = {}},
      {.claimed = "della*", .confirmed = {"della"}, .contradicted = {}}};
  return rules;
}

bool fits(std::string_view word, std::string_view pattern) {
  return pattern.ends_with('*') ? word.starts_with(pattern.substr(0, pattern.size() - 1))
                                : word == pattern;
}

// "confirmed", "contradicted", or "" where the weights could be either.
std::string_view verdict_on_method(std::string_view claimed, std::string_view found) {
  const auto fits_found = [found](std::string_view pattern) { return fits(found, pattern); };
  for (const MethodRule& rule : method_rules()) {
    if (!fits(claimed, rule.claimed)) continue;
    if (std::ranges::any_of(rule.confirmed, fits_found)) return "confirmed";
    return std::ranges::any_of(rule.contradicted, fits_found) ? "contradicted" : "";
  }
  return "";
}

class RecipeHolder {
 public:
  RecipeHolder(const Recipe& recipe, const Joint& joint, std::vector<Declared>& rows)
      : recipe_(recipe), joint_(joint), rows_(rows) {}

  void hold() {
    const auto verdict = verdict_on_method(recipe_.method->value, joint_.method);
    if (!verdict.empty()) {
      add(*recipe_.method, recipe_.method->value, verdict,
          fmt::format("the weights show {}", joint_.method));
    }
    contradict_unneeded();
    if (verdict != "confirmed") return;
    hold_weights();
    hold_t();
  }

 private:
  void add(const Claim& claim, std::string value, std::string_view verdict, std::string because) {
    rows_.push_back({.source = source_of(claim),
                     .value = std::move(value),
                     .verdict = std::string(verdict),
                     .because = std::move(because),
                     .about = ClaimAbout::recipe});
  }

  void contradict_unneeded() {
    if (joint_.method == "passthrough") return;
    for (const RecipeParent& parent : recipe_.parents) {
      if (std::ranges::find(joint_.unneeded, parent.candidate) == joint_.unneeded.end()) continue;
      for (Declared& row : rows_) {
        if (row.source != source_of(*parent.claim)) continue;
        row.verdict = "contradicted";
        row.because = fmt::format("the merge is reproduced without {}", parent.candidate);
      }
    }
  }

  const JointParent* found(const std::string& name) const {
    const auto at = std::ranges::find(joint_.parents, name, &JointParent::name);
    return at == joint_.parents.end() ? nullptr : &*at;
  }

  void hold_weights() {
    double sum = 0;
    for (const RecipeParent& parent : recipe_.parents) {
      if (parent.weight == nullptr) continue;
      const auto weight = number_of(parent.weight->value);
      if (!weight) return;  // a gradient, which no single number answers
      sum += *weight;
    }
    const bool normalize =
        recipe_.normalize.value_or(among(recipe_.method->value, {"linear", "ties"}));
    if (sum == 0) return;
    for (const RecipeParent& parent : recipe_.parents) {
      if (parent.weight == nullptr || found(parent.candidate) == nullptr) continue;
      const double claimed =
          number_of(parent.weight->value).value_or(0) * recipe_.lambda / (normalize ? sum : 1);
      hold_number(*parent.weight, claimed, found(parent.candidate)->weight, parent.candidate);
    }
  }

  void hold_number(const Claim& claim, double claimed, double seen, const std::string& name) {
    const double off = std::abs(claimed - seen);
    if (off > same_weight && off <= other_weight) return;
    add(claim, claim.value, off <= same_weight ? "confirmed" : "contradicted",
        fmt::format("the weights show {:.2f} of {}", seen, name));
  }

  // The t of a matrix towards the model that is not base_model.
  void hold_t() {
    if (recipe_.t.empty() || joint_.parents.size() != 2 || !joint_.parents[0].t) return;
    const bool flipped = joint_.parents[1].name == recipe_.base;
    int last = 0;
    for (const JointPart& part : joint_.parts) last = std::max(last, part.layer);
    double off = 0;
    double count = 0;
    for (const JointPart& part : joint_.parts) {
      const Gradient* gradient = gradient_for(part.role);
      if (gradient == nullptr || !part.t) continue;
      const double place = last > 0 ? static_cast<double>(part.layer) / last : 0;
      off += std::abs((flipped ? 1 - *part.t : *part.t) - gradient->at(place));
      count += 1;
    }
    if (count == 0) return;
    off /= count;
    if (off > same_t && off <= other_t) return;
    const double seen = joint_.parents[flipped ? 0 : 1].t.value_or(0);
    Claim whole = *recipe_.first_t;
    whole.key.resize(whole.key.find(t_name) + t_name.size());
    add(whole, t_in_words(), off <= same_t ? "confirmed" : "contradicted",
        fmt::format("the weights show {:.2f} on the whole, {:.2f} away from it in a matrix", seen,
                    off));
  }

  const Gradient* gradient_for(std::string_view role) const {
    const std::string_view block = role.starts_with("attn.") ? "self_attn" : "mlp";
    const Gradient* general = nullptr;
    for (const auto& [path, gradient] : recipe_.t) {
      if (gradient.values.empty()) continue;
      if (gradient.filter == block) return &gradient;
      if (gradient.filter.empty()) general = &gradient;
    }
    return general;
  }

  std::string t_in_words() const {
    std::vector<std::string> texts;
    texts.reserve(recipe_.t.size());
    for (const auto& [path, gradient] : recipe_.t) {
      texts.push_back(fmt::format("{}{}{}", gradient.filter, gradient.filter.empty() ? "" : " ",
                                  fmt::join(gradient.values, ", ")));
    }
    return fmt::format("{}", fmt::join(texts, "; "));
  }

  const Recipe& recipe_;
  const Joint& joint_;
  std::vector<Declared>& rows_;
};

}  // namespace

void hold_recipe(const ModelInfo& model, const std::vector<Candidate>& candidates,
                 const std::optional<Joint>& joint, std::vector<Declared>& rows) {
  const Recipe recipe = RecipeReader(model, candidates).read();
  const bool all_at_hand =
      std::ranges::none_of(recipe.parents, [](auto& each) { return each.candidate.empty(); });
  if (recipe.method == nullptr || !recipe.one_stage || recipe.parents.empty() || !all_at_hand) {
    return;
  }
  if (joint && joint->relation == "merge" && joint->within_rounding) {
    RecipeHolder(recipe, *joint, rows).hold();
  } else if (candidates.size() > 1) {
    rows.push_back({.source = source_of(*recipe.method),
                    .value = recipe.method->value,
                    .verdict = "unverified",
                    .because = "the parents at hand do not give the weights back",
                    .about = ClaimAbout::recipe});
  }
}

}  // namespace pedigree
