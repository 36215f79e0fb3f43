#include "compare/joint_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace pedigree {
namespace {

using Outcome = Evidence::Outcome;

std::string with_weights(const Joint& joint) {
  std::vector<std::string> names;
  names.reserve(joint.parents.size());
  for (const JointParent& parent : joint.parents) {
    names.push_back(fmt::format("{} ({:.2f})", parent.name, parent.weight));
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

std::vector<std::string> parent_names(const Joint& joint) {
  std::vector<std::string> names;
  names.reserve(joint.parents.size());
  for (const JointParent& parent : joint.parents) names.push_back(parent.name);
  return names;
}

std::string names_of(const Joint& joint) {
  std::vector<std::string> names = parent_names(joint);
  if (joint.base) names.push_back(joint.base->name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string base_name(const Joint& joint) { return joint.base ? joint.base->name : ""; }

std::string not_needed(const Joint& joint) {
  if (joint.unneeded.empty()) return {};
  return fmt::format("; {} {} not needed for it", fmt::join(joint.unneeded, " and "),
                     joint.unneeded.size() == 1 ? "is" : "are");
}

// Every matrix counts as one observation, however many values were looked at:
// what a whole matrix does is one act of training.
double log10_chance(double share, double matrices, double tries) {
  constexpr double finest = 1e-3;
  const double p = matrices * std::log10(std::max(share, finest)) + tries;
  return std::min(0.0, p);
}

std::string extra_weights(const MergeMethod& method) {
  if (method.base || method.t || std::abs(method.sum - 1) < 0.01) return {};
  return fmt::format("; the weights add up to {:.2f}", method.sum);
}

std::string spread_of(const Joint& joint, const MergeMethod& method) {
  if (!method.varies || joint.parts.empty()) return {};
  double low = HUGE_VAL;
  double high = -HUGE_VAL;
  for (const JointPart& part : joint.parts) {
    low = std::min(low, part.weights.front());
    high = std::max(high, part.weights.front());
  }
  return fmt::format("; the weight of {} runs from {:.2f} to {:.2f} over the matrices",
                     joint.parents.front().name, low, high);
}

std::string article(std::string_view method) { return method.starts_with('a') ? "an" : "a"; }

}  // namespace

std::string type_of(const Fingerprint& sketch) {
  for (const Block& block : sketch.blocks) {
    if (block.layer >= 0) return block.element_type;
  }
  return {};
}

Evidence copies_evidence(const std::string& subject, const Copies& copies) {
  return {.statistic = "merge-copies/1",
          .outcome = Outcome::measured,
          .value = static_cast<double>(copies.parts.size()),
          .null = Evidence::Null::digest,
          .samples = copies.parts.size(),
          .stage = copies.moved ? "layer-map" : "digests",
          .because = fmt::format(
              "All {} sampled matrices and gains of {} that carry information stand in one of {} "
              "candidates with the same values; no candidate alone holds them all.",
              copies.parts.size(), subject, copies.parents.size())};
}

Evidence fit_evidence(const Joint& joint, const MergeFit& fit, const Standing& standing,
                      double log10_tries) {
  const double matrices = static_cast<double>(fit.parts.size() - fit.candidates.size()) / 2;
  return {.statistic = "merge-fit/1",
          .outcome = Outcome::measured,
          .value = standing.ratio,
          .log10_p = log10_chance(standing.unexplained, std::max(0.0, matrices), log10_tries),
          .null = Evidence::Null::assumed,
          .samples = fit.samples(),
          .stage = "aligned",
          .because = fmt::format(
              "Weighted sums of {} leave {:.2f} times what rounding into the stored type leaves; "
              "the best of them alone leaves {:.3g} times that.",
              names_of(joint), standing.ratio, standing.single_ratio)};
}

Evidence direction_evidence(const MergeFit& fit, const Computed& computed) {
  const double inside = 1 - static_cast<double>(fit.outside()) / static_cast<double>(fit.samples());
  return {.statistic = "merge-direction/1",
          .outcome = Outcome::measured,
          .value = inside,
          .samples = fit.samples(),
          .stage = "aligned",
          .because =
              computed.subject
                  ? fmt::format("The subject was computed from the others: {}.", computed.because)
                  : "The rounding does not say that the subject was computed from the "
                    "others and not one of them from it."};
}

Evidence entries_evidence(const Joint& joint, const EntryFit& fit, std::size_t matrices,
                          double log10_tries) {
  const double chance = std::clamp(fit.by_chance, 1e-3, 1.0);
  return {.statistic = "merge-entries/1",
          .outcome = Outcome::measured,
          .value = fit.matched,
          .log10_p = log10_chance(chance, static_cast<double>(matrices), log10_tries),
          .null = Evidence::Null::assumed,
          .samples = fit.samples,
          .stage = "aligned",
          .because = fmt::format(
              "{:.1f} % of the sampled entries are {}'s, or that plus kept changes of {}; of "
              "those that differ from it {:.1f} %, against {:.1f} % by chance.",
              100 * fit.matched, base_name(joint), fmt::join(parent_names(joint), " and "),
              100 * fit.matched_changed, 100 * fit.by_chance)};
}

std::string copies_summary(const std::string& subject, const Joint& joint) {
  if (joint.relation == "inconclusive") {
    return fmt::format(
        "Every sampled matrix of {} stands in one of {}, but which was made from which is open: "
        "they also agree with one another in places, or one of them was trained in the rest alone",
        subject, names_of(joint));
  }
  std::string text = fmt::format("{} is put together from matrices of {} (passthrough)", subject,
                                 with_weights(joint));
  if (joint.direction == "undetermined") {
    text +=
        "; were it their ancestor, each of them would have been trained in exactly the parts "
        "that the others left alone";
  }
  return text + not_needed(joint) + ".";
}

std::string fit_summary(const std::string& subject, const Joint& joint, const MergeMethod& method,
                        const std::string& type) {
  if (joint.relation == "inconclusive") {
    return fmt::format(
        "{} is a weighted sum of {} to within rounding, but so may one of them be a sum of the "
        "others and of it: which was computed is not shown",
        subject, names_of(joint));
  }
  std::string text = fmt::format("{} is {} {} merge of {}", subject, article(method.name),
                                 method.name, with_weights(joint));
  if (joint.base) {
    text += fmt::format(" with {} as the base ({:.2f})", joint.base->name, joint.base->weight);
  }
  if (method.t)
    text += fmt::format(", t = {:.2f} towards {}", joint.parents.back().t.value_or(0),
                        joint.parents.back().name);
  text += joint.within_rounding ? fmt::format(": reproduced within the rounding of {}", type)
                                : std::string(", and more that none of them explains");
  return text + extra_weights(method) + spread_of(joint, method) + not_needed(joint) + ".";
}

std::string entries_summary(const std::string& subject, const Joint& joint) {
  if (joint.relation == "inconclusive") {
    return fmt::format(
        "Entry by entry {} is one of {} or a kept change of them, but which was made from which "
        "is not shown",
        subject, names_of(joint));
  }
  std::vector<std::string> kept;
  kept.reserve(joint.parents.size());
  for (const JointParent& parent : joint.parents) {
    kept.push_back(fmt::format("{} ({:.2f}, {:.0f} % of its changes kept)", parent.name,
                               parent.weight, 100 * parent.kept.value_or(0)));
  }
  return fmt::format("{} is {} {} merge of {} onto {}{}.", subject, article(joint.method),
                     joint.method, fmt::join(kept, " and "), base_name(joint), not_needed(joint));
}

}  // namespace pedigree
