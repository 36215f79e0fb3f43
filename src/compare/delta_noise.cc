#include "compare/delta_noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/dense.h"
#include "compare/low_rank.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_matrices = 6;
constexpr double rounding_margin = 4;

// Gaussian noise on 64 × 64 parts: edge ratios of 0.92 to 1.06, kurtosis 2.7 to 3.4.
// Fine-tunes: docs/decisions/0015.
constexpr double most_edge_ratio = 1.15;
constexpr double kurtosis_tolerance = 0.4;
constexpr double most_alignment = 5;
constexpr double most_spread = 1.25;

struct OfMatrix {
  double sigma = 0;
  double relative = 0;  // σ / root mean square of the base
  double edge_ratio = 0;
  double kurtosis = 0;
  double alignment = 0;
};

OfMatrix measured(const Change& change) {
  const auto count = static_cast<double>(change.base.values.size());
  Matrix delta(change.base.rows, change.base.cols);
  double squares = 0;
  double fourths = 0;
  double across = 0;
  double size = 0;
  for (std::size_t i = 0; i < delta.values.size(); ++i) {
    const double d = change.subject.values[i] - change.base.values[i];
    delta.values[i] = d;
    squares += d * d;
    fourths += d * d * d * d;
    across += d * change.base.values[i];
    size += change.base.values[i] * change.base.values[i];
  }
  OfMatrix of{.sigma = std::sqrt(squares / count)};
  if (squares <= 0 || size <= 0) return of;
  of.relative = std::sqrt(squares / size);
  of.kurtosis = count * fourths / (squares * squares);
  of.alignment = std::abs(across) / std::sqrt(squares * size) * std::sqrt(count);
  const double edge = of.sigma * (std::sqrt(static_cast<double>(delta.rows)) +
                                  std::sqrt(static_cast<double>(delta.cols)));
  of.edge_ratio = singular_values(delta).front() / edge;
  return of;
}

double spread_of(std::vector<double> sizes) {
  const auto [low, high] = std::ranges::minmax(sizes);
  return low > 0 ? high / low : 0;
}

template <class Member>
std::vector<double> each(const std::vector<OfMatrix>& all, Member member) {
  std::vector<double> values;
  values.reserve(all.size());
  for (const OfMatrix& of : all) values.push_back(of.*member);
  return values;
}

}  // namespace

std::optional<DeltaNoise> delta_noise(const std::vector<Change>& changes, bool sketched) {
  std::vector<OfMatrix> all;
  DeltaNoise noise;
  for (const Change& change : changes) {
    if (change.is_vector || change.subject_layer < 0) continue;
    if (change.equal || change.base.rows < 16 || change.base.cols < 16) return std::nullopt;
    all.push_back(measured(change));
    const double floor = rounding_noise(change.subject, change.subject_type, sketched);
    if (all.back().sigma < rounding_margin * floor) return std::nullopt;
    noise.values += change.base.values.size();
  }
  noise.matrices = all.size();
  if (all.size() < fewest_matrices) return std::nullopt;
  const auto kurtoses = each(all, &OfMatrix::kurtosis);
  const auto edges = each(all, &OfMatrix::edge_ratio);
  noise.edge_ratio = median(edges);
  noise.largest_edge_ratio = std::ranges::max(edges);
  noise.kurtosis = median(kurtoses);
  noise.alignment = std::ranges::max(each(all, &OfMatrix::alignment));
  noise.spread =
      std::min(spread_of(each(all, &OfMatrix::sigma)), spread_of(each(all, &OfMatrix::relative)));
  noise.white = noise.largest_edge_ratio <= most_edge_ratio &&
                std::abs(noise.kurtosis - 3) <= kurtosis_tolerance &&
                noise.alignment <= most_alignment && noise.spread > 0 &&
                noise.spread <= most_spread;
  return noise;
}

Evidence noise_evidence(const DeltaNoise& noise) {
  return {.statistic = "delta-noise/1",
          .outcome = Evidence::Outcome::measured,
          .value = noise.largest_edge_ratio,
          .samples = noise.values,
          .stage = "aligned",
          .because = fmt::format(
              "The change of {} matrices {} added noise: its largest singular value reaches {:.2f} "
              "times what noise of its size would, its kurtosis is {:.1f} (Gaussian 3), its "
              "sizes differ by a factor of {:.2f}; training gave 1.37 times and more.",
              noise.matrices, noise.white ? "looks like nothing but" : "is not plain",
              noise.largest_edge_ratio, noise.kurtosis, noise.spread)};
}

}  // namespace pedigree
