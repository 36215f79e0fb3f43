#include "compare/rounded_update.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "compare/low_rank.h"
#include "compare/rounding.h"

namespace pedigree {
namespace {

constexpr std::uint64_t fewest_values = 200;  // on each side; a mean square is then good to 7 %
constexpr double least_ratio = 1.6;

using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// What is left of a matrix without its `rank` strongest right singular vectors.
Dense without_low_rank(const Dense& difference, std::uint64_t rank) {
  const Eigen::MatrixXd gram = difference.transpose() * difference;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  const auto count =
      static_cast<Eigen::Index>(std::min(rank, static_cast<std::uint64_t>(difference.cols())));
  const Eigen::MatrixXd strongest = solver.eigenvectors().rightCols(count);
  return difference - (difference * strongest) * strongest.transpose();
}

struct MeanSquare {
  std::uint64_t values = 0;
  double squares = 0;

  double mean() const { return values == 0 ? 0 : squares / static_cast<double>(values); }
};

struct Tally {
  MeanSquare subject_coarser = {};
  MeanSquare base_coarser = {};

  void add(const Matrix& subject, const Matrix& base, const ElementType& type, std::uint64_t rank) {
    if (subject.rows != base.rows || subject.cols != base.cols || subject.values.empty()) return;
    const Eigen::Map<const Dense> mine(subject.values.data(),
                                       static_cast<Eigen::Index>(subject.rows),
                                       static_cast<Eigen::Index>(subject.cols));
    const Eigen::Map<const Dense> theirs(base.values.data(), mine.rows(), mine.cols());
    const Dense left = without_low_rank(mine - theirs, rank);
    const auto step = [&type](double value) {
      return unit_in_last_place(value, type.precision, type.smallest_exponent);
    };
    double noise = 0;
    for (const double value : subject.values) noise += step(value) * step(value) / 12;
    noise = std::sqrt(noise / static_cast<double>(subject.values.size()));
    for (std::size_t i = 0; i < subject.values.size(); ++i) {
      const double fine = std::min(step(subject.values[i]), step(base.values[i]));
      // Where the grid is finer than the noise of the estimate, noise is all one sees.
      if (fine < noise || fine == 0) continue;
      const double ratio = step(subject.values[i]) / step(base.values[i]);
      if (ratio != 2 && ratio != 0.5) continue;
      MeanSquare& side = ratio == 2 ? subject_coarser : base_coarser;
      const double rest = left.data()[i] / fine;
      side.squares += rest * rest;
      ++side.values;
    }
  }
};

// A change of one type on both sides; the type, or none.
const ElementType* type_looked_at(const Change& change, const std::set<int>& layers) {
  if (change.is_vector || change.subject_is_rounded || !layers.contains(change.subject_layer)) {
    return nullptr;
  }
  const ElementType* type = change.subject_type;
  return type == nullptr || type != change.base_type || type->precision == 0 ? nullptr : type;
}

}  // namespace

Result<std::optional<RoundedUpdate>> rounded_update(const Side& subject, const Side& base,
                                                    const Alignment& alignment,
                                                    const std::vector<Change>& all,
                                                    std::uint64_t rank) {
  const bool both = subject.weights != nullptr && base.weights != nullptr &&
                    alignment.neurons_by_index && alignment.hidden_by_index;
  const std::set<int> layers = layers_looked_at(alignment.layers);
  Tally tally;
  for (const Change& change : all) {
    const ElementType* type = type_looked_at(change, layers);
    if (type == nullptr) continue;
    if (!both) {
      // Fingerprints keep eleven bits, all there are of BF16 and F16.
      if (type->precision <= 11) tally.add(change.subject, change.base, *type, rank);
      continue;
    }
    const auto mine = spread_part(*subject.weights, change.role, change.subject_layer);
    if (!mine) return std::unexpected(mine.error());
    const auto theirs = spread_part(*base.weights, change.role, change.base_layer);
    if (!theirs) return std::unexpected(theirs.error());
    tally.add(*mine, *theirs, *type, rank);
  }
  const auto fewest = std::min(tally.subject_coarser.values, tally.base_coarser.values);
  if (fewest < fewest_values || tally.base_coarser.squares <= 0) return std::nullopt;
  const double ratio = tally.subject_coarser.mean() / tally.base_coarser.mean();
  if (ratio < least_ratio && ratio > 1 / least_ratio) return std::nullopt;
  return RoundedUpdate{.subject_was_rounded = ratio >= least_ratio,
                       .ratio = ratio,
                       .values = tally.subject_coarser.values + tally.base_coarser.values};
}

Evidence rounding_evidence(const RoundedUpdate& rounded) {
  return {.statistic = "rounded-update/1",
          .outcome = Evidence::Outcome::measured,
          .value = rounded.ratio,
          .samples = rounded.values,
          .stage = "aligned",
          .because = fmt::format(
              "Without the low-rank update the difference is {:.2f} times as large, squared, where "
              "the subject's grid is the coarser as where the base's is: four if the subject was "
              "rounded, a quarter if the base was, one if both were.",
              rounded.ratio)};
}

}  // namespace pedigree
