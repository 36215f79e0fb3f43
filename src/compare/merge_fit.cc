// Siblings are nearly collinear (cosines of 0.999 and more), so nothing is fitted
// to them directly: the subject's difference from one of them, the reference, is
// fitted to the others' differences from it and to the reference itself, whose
// factor says how far the weights are from adding up to one. The residual is then
// taken from the values and not from the sums, which would lose the digits that
// decide (a bf16 rounding is 3e-6 of a matrix's energy, an f32 one 1e-15).
#include "compare/merge_fit.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "compare/dense.h"

namespace pedigree {
namespace {

using Values = std::vector<double>;

// A value computed once and rounded lies within half a unit; the rest is for the
// error of fitted weights and for ties.
constexpr double half_unit = 0.55;

Values difference(const Values& a, const Values& b) {
  Values out(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = a[i] - b[i];
  return out;
}

std::vector<Values> regressors_of(const MergePart& part, std::span<const std::size_t> candidates) {
  const Values& reference = part.candidates[candidates.front()];
  std::vector<Values> regressors;
  for (const std::size_t other : candidates.subspan(1)) {
    regressors.push_back(difference(part.candidates[other], reference));
  }
  regressors.push_back(reference);
  return regressors;
}

Eigen::MatrixXd gram_of(const std::vector<Values>& regressors) {
  const auto size = static_cast<Eigen::Index>(regressors.size());
  Eigen::MatrixXd gram(size, size);
  for (Eigen::Index i = 0; i < size; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      gram(i, j) = gram(j, i) =
          product(regressors[static_cast<std::size_t>(i)], regressors[static_cast<std::size_t>(j)]);
    }
  }
  return gram;
}

// A regressor without length (a candidate equal to the reference in this matrix)
// gets no weight.
struct Solved {
  Eigen::VectorXd factors;
  Eigen::MatrixXd inverse;
};

Solved solve(const Eigen::MatrixXd& gram, const Eigen::VectorXd& target) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver([&] {
    Eigen::MatrixXd scaled = gram;
    for (Eigen::Index i = 0; i < gram.rows(); ++i) {
      for (Eigen::Index j = 0; j < gram.cols(); ++j) {
        const double scale = std::sqrt(gram(i, i) * gram(j, j));
        scaled(i, j) = scale > 0 ? gram(i, j) / scale : 0;
      }
    }
    return scaled;
  }());
  constexpr double smallest = 1e-12;  // of an eigenvalue, where all are 1 when nothing is shared
  Eigen::VectorXd inverse_values = solver.eigenvalues();
  for (double& value : inverse_values) value = value > smallest ? 1 / value : 0;
  Eigen::MatrixXd inverse =
      solver.eigenvectors() * inverse_values.asDiagonal() * solver.eigenvectors().transpose();
  for (Eigen::Index i = 0; i < gram.rows(); ++i) {
    for (Eigen::Index j = 0; j < gram.cols(); ++j) {
      const double scale = std::sqrt(gram(i, i) * gram(j, j));
      inverse(i, j) = scale > 0 ? inverse(i, j) / scale : 0;
    }
  }
  return {.factors = inverse * target, .inverse = std::move(inverse)};
}

// From factors of differences and of the reference to weights of candidates.
Values weights_of(const Eigen::VectorXd& factors) {
  const auto last = factors.size() - 1;
  double of_reference = 1 + factors(last);
  Values others;
  for (Eigen::Index i = 0; i < last; ++i) {
    others.push_back(factors(i));
    of_reference -= factors(i);
  }
  others.insert(others.begin(), of_reference);
  return others;
}

// Forcing a weight to nought costs w² over its own variance factor.
Values removals_of(const Values& weights, const Eigen::MatrixXd& inverse) {
  const auto size = inverse.rows();
  Values removals(weights.size());
  const auto cost = [&](const Eigen::VectorXd& direction, double weight) {
    const double factor = direction.dot(inverse * direction);
    return factor > 0 ? weight * weight / factor : 0;
  };
  Eigen::VectorXd of_reference = Eigen::VectorXd::Constant(size, -1);
  of_reference(size - 1) = 1;
  removals[0] = cost(of_reference, weights[0]);
  for (Eigen::Index i = 0; i + 1 < size; ++i) {
    removals[static_cast<std::size_t>(i) + 1] =
        cost(Eigen::VectorXd::Unit(size, i), weights[static_cast<std::size_t>(i) + 1]);
  }
  return removals;
}

constexpr double smallest_share = 1e-3;  // a weight below it moves nothing worth counting

void measure_residual(const MergePart& part, std::span<const std::size_t> candidates,
                      PartFit& fit) {
  fit.other_outside.assign(candidates.size(), 0);
  fit.other_rounding.assign(candidates.size(), 0);
  for (std::size_t i = 0; i < part.subject.size(); ++i) {
    if (part.unit[i] <= 0) continue;
    double left = part.subject[i];
    for (std::size_t j = 0; j < candidates.size(); ++j) {
      left -= fit.weights[j] * part.candidates[candidates[j]][i];
    }
    ++fit.samples;
    fit.residual += left * left;
    fit.energy += part.subject[i] * part.subject[i];
    fit.rounding += part.unit[i] * part.unit[i] / 12;
    fit.outside += std::abs(left) > half_unit * part.unit[i] ? 1U : 0U;
    for (std::size_t j = 0; j < candidates.size(); ++j) {
      const double unit = part.candidate_unit(candidates[j], i);
      fit.other_rounding[j] += unit * unit / 12;
      const bool solvable = std::abs(fit.weights[j]) > smallest_share;
      const bool off = !solvable || std::abs(left / fit.weights[j]) > half_unit * unit;
      fit.other_outside[j] += off ? 1U : 0U;
    }
  }
}

PartFit fit_distinct(const MergePart& part, std::span<const std::size_t> candidates) {
  const auto regressors = regressors_of(part, candidates);
  const Values target = difference(part.subject, part.candidates[candidates.front()]);
  Eigen::VectorXd products(static_cast<Eigen::Index>(regressors.size()));
  for (std::size_t i = 0; i < regressors.size(); ++i) {
    products(static_cast<Eigen::Index>(i)) = product(regressors[i], target);
  }
  const Solved solved = solve(gram_of(regressors), products);
  PartFit fit{.weights = weights_of(solved.factors)};
  fit.removal = removals_of(fit.weights, solved.inverse);
  return fit;
}

// A low-rank or partial fine-tune holds its base's very values in the matrices
// it left alone. There the first of the two gets the weight, and neither would
// be missed.
std::vector<std::size_t> twins_of(const MergePart& part, std::span<const std::size_t> candidates) {
  std::vector<std::size_t> twins = first_indices(candidates.size());
  for (std::size_t j = 0; j < candidates.size(); ++j) {
    for (std::size_t i = 0; i < j && twins[j] == j; ++i) {
      if (part.candidates[candidates[i]] == part.candidates[candidates[j]]) twins[j] = i;
    }
  }
  return twins;
}

PartFit fit_part(const MergePart& part, std::span<const std::size_t> candidates) {
  PartFit fit{.weights = Values(candidates.size(), 0)};
  fit.removal.assign(candidates.size(), 0);
  fit.twin = twins_of(part, candidates);
  std::vector<std::size_t> chosen;
  for (std::size_t j = 0; j < candidates.size(); ++j) {
    if (fit.twin[j] == j) chosen.push_back(candidates[j]);
  }
  const PartFit found = fit_distinct(part, chosen);
  std::size_t next = 0;
  for (std::size_t j = 0; j < candidates.size(); ++j) {
    if (fit.twin[j] != j) continue;
    fit.weights[j] = found.weights[next];
    if (fit.shows(j)) fit.removal[j] = found.removal[next];
    ++next;
  }
  measure_residual(part, candidates, fit);
  return fit;
}

// Of the candidates' values, each scaled to unit length over all parts.
class Collinearity {
 public:
  explicit Collinearity(std::size_t candidates)
      : gram_(Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(candidates),
                                    static_cast<Eigen::Index>(candidates))) {}

  void add(const MergePart& part, std::span<const std::size_t> candidates) {
    std::vector<Values> values;
    values.reserve(candidates.size());
    for (const std::size_t each : candidates) values.push_back(part.candidates[each]);
    gram_ += gram_of(values);
  }

  double condition() const {
    Eigen::MatrixXd scaled = gram_;
    for (Eigen::Index i = 0; i < gram_.rows(); ++i) {
      for (Eigen::Index j = 0; j < gram_.cols(); ++j) {
        scaled(i, j) /= std::sqrt(gram_(i, i) * gram_(j, j));
      }
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(scaled, Eigen::EigenvaluesOnly);
    const double smallest = std::max(solver.eigenvalues()(0), 1e-15);
    return std::sqrt(solver.eigenvalues()(gram_.rows() - 1) / smallest);
  }

 private:
  Eigen::MatrixXd gram_;
};

template <class Value>
double total(const std::vector<PartFit>& parts, Value PartFit::* member) {
  double sum = 0;
  for (const PartFit& part : parts) sum += static_cast<double>(part.*member);
  return sum;
}

// Which candidate costs least to leave out, and whether that is no more than
// noise: either the pooled F statistic of its weights, or a thousandth of what is
// left unexplained anyway.
struct Removal {
  std::size_t place = 0;
  double cost = 0;
  bool is_noise = false;
};

Removal cheapest_removal(const MergeFit& fit) {
  constexpr double share_of_residual = 0.001;
  const double residual = fit.residual();
  std::vector<Removal> removals(fit.candidates.size());
  for (std::size_t j = 0; j < removals.size(); ++j) {
    removals[j].place = j;
    double ratio = 0;
    double largest = 0;
    for (const PartFit& part : fit.parts) {
      removals[j].cost += part.removal[j];
      const double freedom =
          static_cast<double>(part.samples) - static_cast<double>(fit.candidates.size());
      if (part.residual > 0 && freedom > 0) ratio += part.removal[j] * freedom / part.residual;
      largest = std::max(largest, std::abs(part.weights[j]));
    }
    const auto count = static_cast<double>(fit.parts.size());
    const bool plain_chance = ratio <= count + 6 * std::sqrt(2 * count) + 20;
    const bool negligible = removals[j].cost <= share_of_residual * residual;
    removals[j].is_noise = plain_chance || negligible || largest < smallest_share;
  }
  return *std::ranges::min_element(removals, {}, &Removal::cost);
}

SingleFit fit_single(const MergeParts& parts, std::size_t candidate) {
  SingleFit single{.candidate = candidate};
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const MergePart part = parts.at(p);
    const std::size_t alone[] = {candidate};
    const PartFit fit = fit_part(part, alone);
    single.residual += fit.residual;
    single.rounding += fit.rounding;
    single.samples += fit.samples;
    single.outside += fit.outside;
  }
  return single;
}

}  // namespace

bool PartFit::shows(std::size_t candidate) const {
  return twin.empty() || std::ranges::count(twin, twin[candidate]) == 1;
}

double MergeFit::residual() const { return total(parts, &PartFit::residual); }
double MergeFit::energy() const { return total(parts, &PartFit::energy); }
double MergeFit::rounding() const { return total(parts, &PartFit::rounding); }
std::size_t MergeFit::samples() const {
  return static_cast<std::size_t>(total(parts, &PartFit::samples));
}
std::size_t MergeFit::outside() const {
  return static_cast<std::size_t>(total(parts, &PartFit::outside));
}
double MergeFit::rounding_ratio() const {
  const double noise = rounding();
  return noise > 0 ? std::sqrt(residual() / noise) : 0;
}

double MergeFit::weight(std::size_t candidate, const MergeParts& of) const {
  double sum = 0;
  double sizes = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (!parts[p].shows(candidate)) continue;
    sum += parts[p].weights[candidate] * of.part_size(p);
    sizes += of.part_size(p);
  }
  return sizes > 0 ? sum / sizes : 0;
}

MergeFit fit_merge(const MergeParts& parts, std::span<const std::size_t> candidates) {
  MergeFit fit{.candidates = {candidates.begin(), candidates.end()}};
  Collinearity collinearity(candidates.size());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const MergePart part = parts.at(p);
    fit.parts.push_back(fit_part(part, candidates));
    collinearity.add(part, candidates);
  }
  if (!fit.parts.empty()) fit.condition = collinearity.condition();
  return fit;
}

MergeFit fit_without_unneeded(const MergeParts& parts, std::vector<std::size_t> active) {
  MergeFit fit = fit_merge(parts, active);
  while (active.size() > 1) {
    const Removal removal = cheapest_removal(fit);
    if (!removal.is_noise) break;
    active.erase(active.begin() + static_cast<std::ptrdiff_t>(removal.place));
    fit = fit_merge(parts, active);
  }
  return fit;
}

std::vector<SingleFit> fit_singles(const MergeParts& parts) {
  std::vector<SingleFit> singles;
  singles.reserve(parts.candidates());
  for (std::size_t j = 0; j < parts.candidates(); ++j) singles.push_back(fit_single(parts, j));
  return singles;
}

}  // namespace pedigree
