#include "compare/merge_standing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pedigree {
namespace {

// Measured; decision 11 has the table.
constexpr double most_outside = 0.05;    // of a value rounded once
constexpr double outside_share = 0.1;    // of what the best candidate alone leaves outside
constexpr double fewest_outside = 200;   // entries that need explaining at all
constexpr double once_rounded = 1.25;    // ratio
constexpr double few_times_rounded = 2;  // ratio of arithmetic done in the stored type
constexpr double plainly_more = 1.5;     // single ratio
constexpr double far_more = 5;           // single ratio, where the ratio is looser
constexpr double most_unexplained = 0.02;
constexpr double worst_matrix = 3;   // ratio
constexpr double nearly_all = 0.98;  // of the matrices

bool every_matrix_fits(const MergeFit& fit) {
  const auto fitting = std::ranges::count_if(fit.parts, [](const PartFit& part) {
    return part.residual <= worst_matrix * worst_matrix * part.rounding;
  });
  return static_cast<double>(fitting) >= nearly_all * static_cast<double>(fit.parts.size());
}

constexpr double smallest_weight = 0.02;  // that a matrix can be solved for

// Whole-number weights keep a sum on the grid of stored numbers, so that hardly
// anything is rounded, and copies not at all.
bool is_on_grid(const PartFit& part) {
  return std::ranges::all_of(part.weights, [](double weight) {
    return std::abs(weight - std::round(weight)) < smallest_weight;
  });
}

// What is left over, as a rounding: root mean square over what one rounding
// leaves, and the share of entries within half a unit.
struct Rounding {
  double ratio = 0;
  double inside = 0;
};

bool holds(const PartFit& part, std::size_t candidate) {
  return std::abs(part.weights[candidate]) > smallest_weight;
}

// The residual as the rounding of the subject, or of a candidate solved for from
// the others. Matrices on the grid say nothing about sizes, so they are left out
// unless there are no others.
class Roundings {
 public:
  explicit Roundings(const MergeFit& fit)
      : fit_(fit), all_on_grid_(std::ranges::all_of(fit.parts, is_on_grid)) {}

  bool all_on_grid() const { return all_on_grid_; }

  Rounding own() const {
    return over([](const PartFit&) { return true; }, subject_noise, subject_outside);
  }
  // The subject's, in the matrices that hold a share of the candidate.
  Rounding own_beside(std::size_t candidate) const {
    return over([candidate](const PartFit& part) { return holds(part, candidate); }, subject_noise,
                subject_outside);
  }
  Rounding of(std::size_t candidate) const {
    return over([candidate](const PartFit& part) { return holds(part, candidate); },
                [candidate](const PartFit& part) {
                  return part.weights[candidate] * part.weights[candidate] *
                         part.other_rounding[candidate];
                },
                [candidate](const PartFit& part) { return part.other_outside[candidate]; });
  }

 private:
  static double subject_noise(const PartFit& part) { return part.rounding; }
  static std::size_t subject_outside(const PartFit& part) { return part.outside; }

  template <class Chosen, class Noise, class Outside>
  Rounding over(Chosen chosen, Noise noise_of, Outside outside_of) const {
    double residual = 0;
    double noise = 0;
    double outside = 0;
    double samples = 0;
    for (const PartFit& part : fit_.parts) {
      if ((!all_on_grid_ && is_on_grid(part)) || !chosen(part)) continue;
      residual += part.residual;
      noise += noise_of(part);
      outside += static_cast<double>(outside_of(part));
      samples += static_cast<double>(part.samples);
    }
    return {.ratio = noise > 0 ? std::sqrt(residual / noise) : HUGE_VAL,
            .inside = samples > 0 ? 1 - outside / samples : 0};
  }

  const MergeFit& fit_;
  bool all_on_grid_;
};

}  // namespace

Standing standing_of(const MergeFit& fit, const SingleFit& best_single, bool lattice) {
  Standing standing;
  const auto samples = static_cast<double>(std::max<std::size_t>(1, fit.samples()));
  const double rounding = fit.rounding();
  if (rounding <= 0) return standing;
  standing.ratio = fit.rounding_ratio();
  standing.single_ratio = std::sqrt(best_single.residual / rounding);
  standing.outside = static_cast<double>(fit.outside()) / samples;
  standing.single_outside = static_cast<double>(best_single.outside) / samples;
  standing.single_suffices = static_cast<double>(best_single.outside) < fewest_outside ||
                             (!lattice && standing.single_ratio < plainly_more);
  const double beyond = best_single.residual - rounding;
  standing.unexplained = beyond > 0 ? std::max(0.0, fit.residual() - rounding) / beyond : 1;
  const bool rounded_once = standing.ratio <= once_rounded && standing.outside <= most_outside &&
                            standing.outside <= outside_share * standing.single_outside;
  const bool rounded_often = standing.ratio <= few_times_rounded &&
                             standing.single_ratio >= far_more &&
                             standing.unexplained <= most_unexplained;
  standing.within_rounding =
      !standing.single_suffices && (rounded_once || rounded_often) && every_matrix_fits(fit);
  return standing;
}

Computed computed_from_rounding(const MergeFit& fit, bool lattice) {
  constexpr double full_rounding = 0.9;  // of a value that was rounded at all
  constexpr double plainly_larger = 1.02;
  constexpr double plainly_more_often = 0.01;
  if (lattice) {
    return {.subject = true,
            .inside = 1 - static_cast<double>(fit.outside()) / static_cast<double>(fit.samples()),
            .because = "the subject's values lie on a quantiser's lattice and the sum's do not"};
  }
  const Roundings seen(fit);
  const bool on_grid = seen.all_on_grid();
  const Rounding all = seen.own();
  Computed computed{.subject = on_grid || all.ratio >= full_rounding, .inside = all.inside};
  double best_inside = 0;
  for (std::size_t j = 0; j < fit.candidates.size(); ++j) {
    const Rounding own = seen.own_beside(j);
    const Rounding other = seen.of(j);
    if (on_grid || other.ratio >= full_rounding) best_inside = std::max(best_inside, other.inside);
    const bool less_often = own.inside >= other.inside + plainly_more_often;
    const bool implausible =
        !on_grid && (other.ratio < full_rounding || other.ratio >= plainly_larger * own.ratio);
    if (less_often || implausible) continue;
    computed.subject = false;
    if (other.inside >= own.inside + plainly_more_often) computed.other = j;
  }
  if (computed.subject) {
    computed.because =
        fmt::format("{:.1f} % of its values are the sum rounded once; ", 100 * all.inside);
    computed.because +=
        best_inside > 0
            ? fmt::format("of no candidate's, solved for from the others, are more than {:.1f} %",
                          100 * best_inside)
            : "what is left is too little to be a candidate's own rounding";
  }
  return computed;
}

}  // namespace pedigree
