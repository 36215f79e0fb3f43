#include "tasks/declared.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/text.h"

namespace pedigree {
namespace {

constexpr std::string_view not_compared_yet = "no model of that name was compared";

struct ModelName {
  std::string organisation;  // "" when none is given
  std::string name;
};

// Folders of a path, last first.
std::vector<std::string_view> parts_from_back(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find_last_of("/\\");
    const std::string_view part = slash == path.npos ? path : path.substr(slash + 1);
    if (!part.empty() && part != ".") parts.push_back(part);
    path = slash == path.npos ? std::string_view() : path.substr(0, slash);
  }
  return parts;
}

// "models--org--name", the folder of a hub cache.
std::optional<ModelName> cache_name(std::string_view folder) {
  constexpr std::string_view prefix = "models--";
  if (!folder.starts_with(prefix)) return std::nullopt;
  folder.remove_prefix(prefix.size());
  const std::size_t dashes = folder.find("--");
  if (dashes == folder.npos) return ModelName{.organisation = {}, .name = std::string(folder)};
  return ModelName{.organisation = std::string(folder.substr(0, dashes)),
                   .name = std::string(folder.substr(dashes + 2))};
}

ModelName parsed_name(std::string_view value) {
  const std::string lower = ascii_lowered(value);
  std::string_view rest = lower;
  bool is_url = false;
  for (const std::string_view scheme : {"https://", "http://", "hf://"}) {
    if (!rest.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    is_url = true;
  }
  rest = rest.substr(0, rest.find('@'));  // a revision
  const auto parts = parts_from_back(rest);
  for (const std::string_view part : parts) {
    if (auto name = cache_name(part)) return *name;
  }
  if (parts.empty()) return {};
  const bool has_organisation =
      is_url ? parts.size() > 2 : parts.size() == 2 && !is_local_path(value);
  return {.organisation = has_organisation ? std::string(parts[1]) : std::string(),
          .name = std::string(parts[0])};
}

bool same(const ModelName& a, const ModelName& b) {
  if (a.name.empty() || a.name != b.name) return false;
  return a.organisation.empty() || b.organisation.empty() || a.organisation == b.organisation;
}

Declared row_for(const Claim& claim, const Comparison* comparison, bool is_adapter) {
  Declared row{
      .source = source_of(claim), .value = claim.value, .verdict = "unverified", .because = {}};
  if (comparison == nullptr) {
    row.because = not_compared_yet;
    return row;
  }
  const Verdict& verdict = comparison->verdict;
  if (verdict.derived == "yes" && verdict.direction == "subject-is-parent") {
    row.verdict = "contradicted";
    row.because = fmt::format("{} descends from this model, not the reverse", comparison->base);
  } else if (verdict.derived == "yes") {
    row.verdict = "confirmed";
    row.because = fmt::format("the weights show {} ({})", comparison->base, verdict.relation);
  } else if (verdict.derived == "no") {
    row.verdict = "contradicted";
    row.because = fmt::format("there is no evidence of shared weights with {}", comparison->base);
  } else {
    row.because = fmt::format("the comparison with {} did not decide", comparison->base);
    row.remedy = is_adapter ? "Merge the adapter into its base, and audit the result."
                            : "See what the comparison lacked; whole weights on both sides decide "
                              "more than fingerprints.";
  }
  return row;
}

// The declared parent that no base went by the name of, where there is one and no more:
// a base that was given may be it, in a folder of another name.
std::string the_one_not_compared(const std::vector<Declared>& rows) {
  std::string name;
  for (const Declared& row : rows) {
    if (row.verdict != "unverified" || row.because != not_compared_yet) return {};
    if (!name.empty() && !names_same_model(name, row.value)) return {};
    if (name.empty()) name = row.value;
  }
  return name;
}

bool may_be_parent(const Comparison& comparison) {
  return comparison.verdict.derived == "yes" &&
         comparison.verdict.direction != "subject-is-parent" &&
         comparison.verdict.direction != "siblings";
}

}  // namespace

std::string source_of(const Claim& claim) {
  return claim.line > 0 ? fmt::format("{}:{} {}", claim.file, claim.line, claim.key)
                        : fmt::format("{} {}", claim.file, claim.key);
}

bool names_candidate(const Claim& claim, const Candidate& candidate) {
  // A path's folder is no organisation, so the path counts by its last part.
  const auto parts = parts_from_back(candidate.path);
  const bool by_path = !parts.empty() && names_same_model(claim.value, parts.front());
  const bool in_cache = candidate.path.find("models--") != std::string::npos &&
                        names_same_model(claim.value, candidate.path);
  return by_path || in_cache || names_same_model(claim.value, candidate.name);
}

bool names_same_model(std::string_view claimed, std::string_view name) {
  return same(parsed_name(claimed), parsed_name(name));
}

bool is_local_path(std::string_view value) {
  if (value.starts_with('/') || value.starts_with("./") || value.starts_with("../") ||
      value.starts_with('~') || value.starts_with("file:") || value.contains('\\')) {
    return true;
  }
  return value.size() > 2 && value[1] == ':' &&
         std::isalpha(static_cast<unsigned char>(value[0])) != 0;
}

bool is_parent_claim(const Claim& claim, const ModelInfo& model) {
  if (claim.value.empty()) return false;
  if (claim.key.ends_with("_name_or_path")) {
    // Every save writes the name a model was loaded under, its own included.
    return claim.key != "_name_or_path" || !names_same_model(claim.value, model.name);
  }
  return claim.kind == Claim::Kind::base_model || claim.kind == Claim::Kind::merge_recipe;
}

std::vector<Declared> hold_claims(const ModelInfo& model, const std::vector<Candidate>& candidates,
                                  const std::vector<Comparison>& comparisons) {
  std::vector<Declared> rows;
  std::vector<bool> is_declared(comparisons.size(), false);
  for (const Claim& claim : model.claims) {
    if (!is_parent_claim(claim, model)) continue;
    const Comparison* found = nullptr;
    for (std::size_t i = 0; i < comparisons.size() && i < candidates.size(); ++i) {
      if (!names_candidate(claim, candidates[i])) continue;
      is_declared[i] = true;
      if (found == nullptr) found = &comparisons[i];
    }
    rows.push_back(row_for(claim, found, model.is_adapter));
  }
  const std::string missed = the_one_not_compared(rows);
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    if (is_declared[i] || !may_be_parent(comparisons[i])) continue;
    Declared row{.source = "weights",
                 .value = comparisons[i].base,
                 .verdict = "undeclared",
                 .because = fmt::format("the weights show it ({}), no file names it",
                                        comparisons[i].verdict.relation)};
    if (!missed.empty()) {
      row.because += fmt::format("; it may be {} in a folder of another name", missed);
      row.remedy =
          fmt::format("If it is {}, give it in a folder of that name; else declare it.", missed);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace pedigree
