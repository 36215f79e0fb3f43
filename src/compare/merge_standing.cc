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

// Whole-number weights keep a sum on the grid of stored numbers, so that hardly
// anything is rounded, and copies not at all.
bool is_on_grid(const PartFit& part) {
  return std::ranges::all_of(
      part.weights, [](double weight) { return std::abs(weight - std::round(weight)) < 0.002; });
}

// What the residual looks like as the rounding of the subject, or of a candidate
// solved for from the others; over the matrices that `chosen` names.
class Roundings {
 public:
  explicit Roundings(const MergeFit& fit)
      : fit_(fit), all_on_grid_(std::ranges::all_of(fit.parts, is_on_grid)) {}

  bool all_on_grid() const { return all_on_grid_; }

  double own_ratio() const {
    return ratio([](const PartFit& part) { return part.rounding; });
  }
  double ratio_of(std::size_t candidate) const {
    return ratio([candidate](const PartFit& part) {
      return part.weights[candidate] * part.weights[candidate] * part.other_rounding[candidate];
    });
  }
  double own_inside() const {
    return inside([](const PartFit& part) { return part.outside; });
  }
  double inside_of(std::size_t candidate) const {
    return inside([candidate](const PartFit& part) { return part.other_outside[candidate]; });
  }

 private:
  bool speaks(const PartFit& part) const { return all_on_grid_ || !is_on_grid(part); }

  template <class Noise>
  double ratio(Noise noise_of) const {
    double residual = 0;
    double noise = 0;
    for (const PartFit& part : fit_.parts) {
      if (!speaks(part)) continue;
      residual += part.residual;
      noise += noise_of(part);
    }
    return noise > 0 ? std::sqrt(residual / noise) : HUGE_VAL;
  }

  template <class Outside>
  double inside(Outside outside_of) const {
    double outside = 0;
    double samples = 0;
    for (const PartFit& part : fit_.parts) {
      if (!speaks(part)) continue;
      outside += static_cast<double>(outside_of(part));
      samples += static_cast<double>(part.samples);
    }
    return samples > 0 ? 1 - outside / samples : 0;
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
  const double own = seen.own_ratio();
  const double own_inside = seen.own_inside();
  Computed computed{.subject = seen.all_on_grid() || own >= full_rounding, .inside = own_inside};
  double best_inside = 0;
  for (std::size_t j = 0; j < fit.candidates.size(); ++j) {
    const double inside = seen.inside_of(j);
    best_inside = std::max(best_inside, inside);
    const double ratio = seen.ratio_of(j);
    const bool less_often = own_inside >= inside + plainly_more_often;
    const bool implausible =
        !seen.all_on_grid() && (ratio < full_rounding || ratio >= plainly_larger * own);
    if (less_often || implausible) continue;
    computed.subject = false;
    if (inside >= own_inside + plainly_more_often) computed.other = j;
  }
  if (computed.subject) {
    computed.because = fmt::format(
        "{:.1f} % of its values are the sum rounded once; of no candidate's, solved for from the "
        "others, are more than {:.1f} %",
        100 * own_inside, 100 * best_inside);
  }
  return computed;
}

}  // namespace pedigree
