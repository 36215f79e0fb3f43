#include "compare/joint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "compare/assignment.h"
#include "compare/joint_words.h"
#include "compare/merge_copies.h"
#include "compare/merge_entries.h"
#include "compare/merge_fit.h"
#include "compare/merge_methods.h"
#include "compare/merge_standing.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_parts = 3;
constexpr std::size_t most_candidates = 16;
constexpr double methods_tried = 4;

// What models trained apart show at most; see cosine_between().
constexpr double unrelated_cosine = 0.1;

bool is_usable(const JointCandidate& candidate) {
  return candidate.sketch != nullptr && candidate.comparison != nullptr &&
         !candidate.sketch->blocks.empty();
}

// Every subset of candidates and every method could have been the one.
double log10_tries(std::size_t candidates) {
  return static_cast<double>(candidates) * std::log10(2.0) + std::log10(methods_tried);
}

class JointFinder {
 public:
  JointFinder(const Fingerprint& subject, std::vector<JointCandidate> candidates, bool stored)
      : subject_(subject), candidates_(std::move(candidates)), stored_(stored) {}

  std::optional<Joint> find() {
    const Copies copies = copies_of(subject_, candidates_);
    if (copies.one_is_enough) return std::nullopt;
    if (copies.complete) return from_copies(copies);
    const MergeParts parts(subject_, candidates_, stored_);
    if (parts.candidates() < 2 || parts.size() < fewest_parts) return std::nullopt;
    return from_values(parts);
  }

 private:
  const std::string& name_of(const MergeParts& parts, std::size_t candidate) const {
    return parts.candidate(candidate).name;
  }

  std::optional<Joint> from_copies(const Copies& copies) const {
    Joint joint{.method = "passthrough", .rounding_ratio = 0.0, .within_rounding = true};
    for (std::size_t i = 0; i < copies.parents.size(); ++i) {
      joint.parents.push_back(
          {.name = candidates_[copies.parents[i]].name, .weight = copies.shares[i]});
    }
    note_unneeded(joint);
    add_copied_layers(joint, copies);
    joint.evidence.push_back(copies_evidence(subject_.name, copies));
    if (copies.moved) {
      joint.direction = "base-is-parent";
      joint.direction_because =
          "layers of several candidates stand in it in an order none of them has";
    } else if (copies.shared || !copies.each_gives_a_layer_matrix) {
      joint.relation = "inconclusive";
    }
    joint.summary = copies_summary(subject_.name, joint);
    leave_open_what_is(joint);
    return joint;
  }

  // Nobody is called a parent where it is open who came first.
  static void leave_open_what_is(Joint& joint) {
    if (joint.relation != "inconclusive") return;
    joint.method.clear();
    joint.parents.clear();
    joint.base.reset();
    joint.unneeded.clear();
    joint.parts.clear();
  }

  static void add_copied_layers(Joint& joint, const Copies& copies) {
    for (const CopiedPart& part : copies.parts) {
      JointPart row{.layer = part.layer, .role = part.role, .from = part.chosen.layer};
      row.weights.assign(copies.parents.size(), 0);
      const auto at = std::ranges::find(copies.parents, part.chosen.candidate);
      row.weights[static_cast<std::size_t>(at - copies.parents.begin())] = 1;
      joint.parts.push_back(std::move(row));
    }
    std::ranges::stable_sort(joint.parts, {}, &JointPart::layer);
  }

  void note_unneeded(Joint& joint) const {
    for (const JointCandidate& candidate : candidates_) {
      const auto is_this = [&](const JointParent& each) { return each.name == candidate.name; };
      const bool needed =
          std::ranges::any_of(joint.parents, is_this) || (joint.base && is_this(*joint.base));
      if (!needed) joint.unneeded.push_back(candidate.name);
    }
  }

  std::optional<Joint> from_values(const MergeParts& parts) const {
    auto singles = fit_singles(parts);
    std::ranges::stable_sort(singles, {}, &SingleFit::residual);
    const bool lattice = parts.at(0).lattice;
    const auto order = distinct_candidates(parts, singles);
    const MergeFit fit = fit_without_unneeded(parts, order);
    const Standing standing = standing_of(fit, singles.front(), lattice);
    if (standing.single_suffices) return std::nullopt;
    if (fit.candidates.size() > 1 && standing.within_rounding) {
      return from_fit(parts, fit, standing, lattice);
    }
    if (const auto entries = fit_entries(parts)) return from_entries(parts, *entries);
    return later_trained(parts, fit, singles.front(), lattice);
  }

  // Nearest first; of candidates that hold the same values only the nearest.
  static std::vector<std::size_t> distinct_candidates(const MergeParts& parts,
                                                      const std::vector<SingleFit>& singles) {
    std::vector<std::size_t> order;
    for (const SingleFit& single : singles) {
      const bool is_new = std::ranges::none_of(
          order, [&](std::size_t kept) { return hold_the_same(parts, kept, single.candidate); });
      if (is_new) order.push_back(single.candidate);
    }
    return order;
  }

  // Merged models trained further fit no rounding. Between unrelated parents a
  // share of either cannot come from anywhere else; between siblings it can:
  // training both on like data makes changes that look like shares. So one of
  // each family is kept, the one that weighs most.
  static std::vector<std::size_t> family_heads(const MergeParts& parts, const MergeFit& fit) {
    std::vector<std::size_t> places = first_indices(fit.candidates.size());
    std::ranges::stable_sort(places, std::ranges::greater(),
                             [&](std::size_t j) { return fit.weight(j, parts); });
    std::vector<std::size_t> heads;
    for (const std::size_t j : places) {
      const std::size_t candidate = fit.candidates[j];
      const bool is_new = std::ranges::none_of(heads, [&](std::size_t head) {
        return std::abs(cosine_between(parts, head, candidate)) > unrelated_cosine;
      });
      if (is_new && parts.candidate(candidate).comparison->verdict.derived == "yes") {
        heads.push_back(candidate);
      }
    }
    return heads;
  }

  std::optional<Joint> later_trained(const MergeParts& parts, const MergeFit& fit,
                                     const SingleFit& best_single, bool lattice) const {
    constexpr double most_unexplained = 0.5;
    constexpr double smallest_weight = 0.05;
    const auto heads = family_heads(parts, fit);
    if (heads.size() < 2) return std::nullopt;
    const MergeFit of_heads = fit_merge(parts, heads);
    for (std::size_t j = 0; j < heads.size(); ++j) {
      if (of_heads.weight(j, parts) < smallest_weight) return std::nullopt;
    }
    const Standing standing = standing_of(of_heads, best_single, lattice);
    if (standing.unexplained > most_unexplained) return std::nullopt;
    return from_fit(parts, of_heads, standing, lattice);
  }

  Joint from_fit(const MergeParts& parts, const MergeFit& fit, const Standing& standing,
                 bool lattice) const {
    const MergeMethod method = merge_method(parts, fit);
    Joint joint{.method = method.name, .condition = fit.condition};
    joint.residual = std::sqrt(fit.residual() / std::max(fit.energy(), 1e-300));
    joint.rounding_ratio = standing.ratio;
    joint.within_rounding = standing.within_rounding;
    const auto order = by_request(fit);
    for (const std::size_t i : order) {
      JointParent parent{.name = name_of(parts, fit.candidates[i]), .weight = method.weights[i]};
      if (method.t) parent.t = i == 0 ? 1 - *method.t : *method.t;
      if (method.base == i) {
        joint.base = std::move(parent);
      } else {
        joint.parents.push_back(std::move(parent));
      }
    }
    note_unneeded(joint);
    add_fitted_parts(joint, parts, fit, method);
    joint.evidence.push_back(fit_evidence(joint, fit, standing, log10_tries(parts.candidates())));
    settle_direction(joint, fit, standing, lattice);
    joint.summary = fit_summary(subject_.name, joint, method, type_of(subject_));
    leave_open_what_is(joint);
    return joint;
  }

  // The fit's candidates in the order they were given in.
  static std::vector<std::size_t> by_request(const MergeFit& fit) {
    std::vector<std::size_t> order = first_indices(fit.candidates.size());
    std::ranges::sort(order, {}, [&](std::size_t i) { return fit.candidates[i]; });
    return order;
  }

  // Where candidates hold the same values, any split of their weight is as right;
  // this one goes by what the other matrices show.
  static std::vector<double> shared_among_twins(const PartFit& part,
                                                const std::vector<double>& overall) {
    std::vector<double> weights = part.weights;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      if (part.twin[j] == j) continue;
      weights[j] = overall[j];
      weights[part.twin[j]] -= overall[j];
    }
    return weights;
  }

  static void add_fitted_parts(Joint& joint, const MergeParts& parts, const MergeFit& fit,
                               const MergeMethod& method) {
    const auto order = by_request(fit);
    for (std::size_t p = 0; p < parts.size(); ++p) {
      JointPart row{.layer = parts.part_layer(p), .role = parts.part_role(p)};
      const auto weights = shared_among_twins(fit.parts[p], method.weights);
      for (const std::size_t i : order) {
        if (method.base != i) row.weights.push_back(weights[i]);
      }
      if (method.base) row.weights.push_back(weights[*method.base]);
      if (!method.positions.empty()) {
        row.t = order.front() == 0 ? method.positions[p] : 1 - method.positions[p];
      }
      joint.parts.push_back(std::move(row));
    }
  }

  static void settle_direction(Joint& joint, const MergeFit& fit, const Standing& standing,
                               bool lattice) {
    if (!standing.within_rounding) {
      joint.direction = "base-is-parent";
      joint.direction_because =
          "it holds a share of each of several models that share nothing with one another";
      return;
    }
    const Computed computed = computed_from_rounding(fit, lattice);
    joint.evidence.push_back(direction_evidence(fit, computed));
    if (computed.subject) {
      joint.direction = "base-is-parent";
      joint.direction_because = computed.because;
      return;
    }
    joint.relation = "inconclusive";
  }

  Joint from_entries(const MergeParts& parts, const EntryFit& fit) const {
    constexpr double plainly_more = 0.003;
    constexpr double chosen_by_size = 0.95;
    Joint joint{.method = fit.method, .within_rounding = true};
    joint.residual = 1 - fit.matched;
    joint.base = JointParent{.name = name_of(parts, fit.base)};
    double others = 0;
    for (const EntryParent& parent : fit.parents) {
      joint.parents.push_back(
          {.name = name_of(parts, parent.candidate), .weight = parent.weight, .kept = parent.kept});
      others += parent.weight;
    }
    joint.base->weight = 1 - others;
    note_unneeded(joint);
    joint.evidence.push_back(
        entries_evidence(joint, fit, parts.size(), log10_tries(parts.candidates())));
    // Without a factor, one parent's entries beside the base's may also be an early
    // state of the parent's own training, in numbers too coarse to move twice.
    const bool is_early_state =
        fit.parents.size() == 1 && !fit.scaled && fit.larger < chosen_by_size;
    if (!is_early_state && fit.reversed < fit.matched - plainly_more) {
      joint.direction = "base-is-parent";
      joint.direction_because =
          "counted from the subject, the base's entries are not explained as well";
    } else {
      joint.relation = "inconclusive";
    }
    joint.summary = entries_summary(subject_.name, joint);
    leave_open_what_is(joint);
    return joint;
  }

  const Fingerprint& subject_;
  std::vector<JointCandidate> candidates_;
  bool stored_;
};

}  // namespace

std::optional<Joint> joint(const Fingerprint& subject, std::span<const JointCandidate> candidates,
                           const JointOptions& options) {
  std::vector<JointCandidate> usable;
  for (const JointCandidate& candidate : candidates) {
    if (is_usable(candidate) && usable.size() < most_candidates) usable.push_back(candidate);
  }
  if (usable.size() < 2 || subject.blocks.empty()) return std::nullopt;
  return JointFinder(subject, std::move(usable), options.stored_subject).find();
}

}  // namespace pedigree
