#include "tasks/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "tasks/declared.h"

namespace pedigree {
namespace {

std::string place_of(const Problem& problem, const std::string& subject) {
  if (problem.file.empty()) return subject;
  return problem.line ? fmt::format("{}:{}", problem.file, *problem.line) : problem.file;
}

void add_problem_findings(std::vector<Finding>& findings, const std::vector<Problem>& problems,
                          const std::string& subject) {
  for (const Problem& problem : problems) {
    findings.push_back({.rule = problem.code,
                        .level = problem.severity,
                        .message = problem.message,
                        .subject = place_of(problem, subject),
                        .remedy = problem.remedy});
  }
}

// A claim about how it was made, and not from what, has a rule of its own.
Finding contradiction(const Declared& row) {
  switch (row.about) {
    case ClaimAbout::relation:
      if (row.value == "quantized") {
        return {.rule = "lineage-quant-mismatch",
                .level = Severity::error,
                .message = {},
                .subject = {},
                .remedy = "Ask the publisher what was done beside quantising."};
      }
      return {.rule = "card-relation-mismatch",
              .level = Severity::warning,
              .message = {},
              .subject = {},
              .remedy = "Correct base_model_relation, or ask the publisher what was done."};
    case ClaimAbout::recipe:
      return {.rule = "lineage-merge-recipe-mismatch",
              .level = Severity::note,
              .message = {},
              .subject = {},
              .remedy = "Ask the publisher for the recipe that was used."};
    case ClaimAbout::parent:
      break;
  }
  return {.rule = "lineage-declared-contradicted",
          .level = Severity::error,
          .message = {},
          .subject = {},
          .remedy =
              "Ask the publisher which base was used, and treat the declaration as wrong "
              "until then."};
}

// What a row of declared against verified means for whoever reads the report.
std::optional<Finding> finding_of_row(const Declared& row, bool one_confirmed) {
  const auto remedy = [&](const char* usual) {
    return row.remedy.empty() ? std::string(usual) : row.remedy;
  };
  const auto but = fmt::format("{} declares {}, but {}", row.source, row.value, row.because);
  if (row.verdict == "contradicted") {
    Finding finding = contradiction(row);
    finding.message = but;
    if (!row.remedy.empty()) finding.remedy = row.remedy;
    return finding;
  }
  if (row.verdict == "unverified") {
    return Finding{.rule = "lineage-declared-unverified",
                   .level = Severity::warning,
                   .message = but,
                   .subject = {},
                   .remedy = remedy(row.about == ClaimAbout::recipe
                                        ? "Ask the publisher for the exact parents and the recipe."
                                        : "Give the declared base with --against.")};
  }
  if (row.verdict != "undeclared") return std::nullopt;
  return Finding{
      .rule = "lineage-undeclared-parent",
      .level = one_confirmed || !row.remedy.empty() ? Severity::note : Severity::warning,
      .message = fmt::format("it shares weights with {}, which no file declares{}", row.value,
                             row.remedy.empty() ? "" : " by this name"),
      .subject = {},
      .remedy = remedy(one_confirmed
                           ? "It may be an ancestor of the declared base; declare it if it is not."
                           : "Declare it as base_model, and check what its licence asks for.")};
}

// Compared with somebody, kin to nobody, and silent about where it comes from.
std::optional<Finding> unknown_origin(const ModelInfo& model, const std::vector<Declared>& declared,
                                      std::size_t compared) {
  const bool claims = std::ranges::any_of(
      model.claims, [&](const Claim& claim) { return is_parent_claim(claim, model); });
  if (compared == 0 || claims || !declared.empty()) return std::nullopt;
  return Finding{.rule = "lineage-unknown-origin",
                 .level = Severity::note,
                 .message = "no file declares a parent, and none of the models compared is one",
                 .subject = model.name,
                 .remedy = "Declare base_model, or say that it was trained from scratch."};
}

// The licence as one file and another of the same model give it.
std::optional<Finding> license_mismatch(const ModelInfo& model) {
  const Claim* first = nullptr;
  for (const Claim& claim : model.claims) {
    const bool names_one = claim.key == "license" || claim.key == "general.license" ||
                           claim.key == "modelspec.license";
    if (claim.kind != Claim::Kind::license || !names_one) continue;
    if (first == nullptr) {
      first = &claim;
    } else if (claim.file != first->file &&
               ascii_lowered(claim.value) != ascii_lowered(first->value)) {
      return Finding{
          .rule = "card-license-mismatch",
          .level = Severity::warning,
          .message = fmt::format("{} gives the licence {}, and {} gives {}", source_of(*first),
                                 first->value, source_of(claim), claim.value),
          .subject = model.name,
          .remedy = "Ask the publisher which licence holds; keep to the stricter."};
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<Finding> findings_of(const ModelInfo& model, const std::vector<Declared>& declared,
                                 const std::vector<Problem>& problems, std::size_t compared) {
  std::vector<Finding> findings;
  // A parent beside a confirmed one is most often the parent's own parent.
  const bool one_confirmed =
      std::ranges::find(declared, "confirmed", &Declared::verdict) != declared.end();
  for (const Declared& row : declared) {
    auto finding = finding_of_row(row, one_confirmed);
    if (!finding) continue;
    finding->subject = model.name;
    findings.push_back(std::move(*finding));
  }
  for (const Claim& claim : model.claims) {
    if (!is_parent_claim(claim, model)) continue;
    if (names_same_model(claim.value, model.name)) {
      findings.push_back(
          {.rule = "lineage-self-parent",
           .level = Severity::note,
           .message = fmt::format("{} names the model itself as its parent", source_of(claim)),
           .subject = model.name,
           .remedy = "Name the base model, or leave the field out."});
    } else if (is_local_path(claim.value)) {
      findings.push_back({.rule = "lineage-local-path-parent",
                          .level = Severity::note,
                          .message = fmt::format("{} names a path on somebody's machine: {}",
                                                 source_of(claim), claim.value),
                          .subject = model.name,
                          .remedy = "Name the base by its public name."});
    }
  }
  if (auto finding = unknown_origin(model, declared, compared)) {
    findings.push_back(*std::move(finding));
  }
  if (auto finding = license_mismatch(model)) findings.push_back(*std::move(finding));
  add_problem_findings(findings, problems, model.name);
  return findings;
}

}  // namespace pedigree
