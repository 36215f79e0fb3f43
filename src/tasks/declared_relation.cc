#include "tasks/declared_relation.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace pedigree {
namespace {

using Words = std::initializer_list<std::string_view>;

bool has_any(const Verdict& verdict, Words mechanisms) {
  return std::ranges::any_of(verdict.mechanisms, [&](const std::string& each) {
    return std::ranges::find(mechanisms, each) != mechanisms.end();
  });
}

bool has_only(const Verdict& verdict, Words mechanisms) {
  return !verdict.mechanisms.empty() &&
         std::ranges::all_of(verdict.mechanisms, [&](const std::string& each) {
           return std::ranges::find(mechanisms, each) != mechanisms.end();
         });
}

// Equal as far as every tensor goes, not as far as a sample goes.
bool is_equal(const Comparison& comparison) {
  return has_only(comparison.verdict, {"identical"}) && !comparison.change.empty() &&
         std::ranges::all_of(comparison.change, &RoleChange::exact);
}

bool is_plain_quantisation(const Comparison& comparison) {
  return has_only(comparison.verdict, {"quantized"});
}

// Quantisers leave norm gains alone, or rescale them and are said to; training moves them.
bool was_trained(const Comparison& comparison) {
  const Verdict& verdict = comparison.verdict;
  if (has_any(verdict, {"lora-merge", "partial-finetune", "continued-pretraining"})) return true;
  constexpr double least = 1e-4;
  return has_only(verdict, {"finetune"}) &&
         std::ranges::any_of(comparison.change, [](const RoleChange& change) {
           return change.role.ends_with("norm") && change.relative_delta > least;
         });
}

enum class Answer { open, confirmed, contradicted };

Answer answer(std::string_view relation, const Comparison& comparison) {
  using enum Answer;
  const Verdict& verdict = comparison.verdict;
  const bool untrained = is_equal(comparison) || is_plain_quantisation(comparison);
  if (relation == "finetune") {
    if (untrained) return contradicted;
    return has_any(verdict, {"finetune", "partial-finetune", "continued-pretraining", "lora-merge"})
               ? confirmed
               : open;
  }
  if (relation == "quantized") {
    if (has_any(verdict, {"quantized"})) return confirmed;
    return was_trained(comparison) || is_equal(comparison) ? contradicted : open;
  }
  if (relation == "merge") {
    if (untrained) return contradicted;
    return has_any(verdict, {"merge"}) ? confirmed : open;
  }
  return relation == "adapter" && has_any(verdict, {"lora-merge"}) ? confirmed : open;
}

bool is_declared(const ModelInfo& model, const Candidate& candidate) {
  return std::ranges::any_of(model.claims, [&](const Claim& claim) {
    return is_parent_claim(claim, model) && names_candidate(claim, candidate);
  });
}

}  // namespace

void hold_relations(const ModelInfo& model, const std::vector<Candidate>& candidates,
                    const std::vector<Comparison>& comparisons, std::vector<Declared>& rows) {
  for (const Claim& claim : model.claims) {
    if (claim.kind != Claim::Kind::base_model_relation) continue;
    const Comparison* against = nullptr;
    Answer found = Answer::open;
    for (std::size_t i = 0; i < comparisons.size() && i < candidates.size(); ++i) {
      if (comparisons[i].verdict.derived != "yes" || !is_declared(model, candidates[i])) continue;
      const Answer one = answer(claim.value, comparisons[i]);
      // One base that bears the claim out is enough; the others may be its ancestors.
      if (one == Answer::open || found == Answer::confirmed) continue;
      found = one;
      against = &comparisons[i];
    }
    if (against == nullptr) continue;
    const bool good = found == Answer::confirmed;
    rows.push_back(
        {.source = source_of(claim),
         .value = claim.value,
         .verdict = good ? "confirmed" : "contradicted",
         .because =
             fmt::format("the weights show {} ({})", against->base, against->verdict.relation),
         .about = ClaimAbout::relation,
         .remedy = good ? "" : "Correct base_model_relation, or ask the publisher what was done."});
  }
}

}  // namespace pedigree
