#include "compare/origin.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "compare/dense.h"
#include "compare/parts.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t most_layers = 8;

struct Ratios {
  std::vector<double> forward = {};
  std::vector<double> backward = {};

  void add(const Matrix& subject, const Matrix& base) {
    const double there = spectrum_ratio(base, subject);
    const double back = spectrum_ratio(subject, base);
    if (there == 0 && back == 0) return;
    forward.push_back(there);
    backward.push_back(back);
  }
  std::optional<double> geometric_mean() const {
    if (forward.empty()) return std::nullopt;
    const double there = median(forward);
    const double back = median(backward);
    return there > 0 && back > 0 ? std::sqrt(there * back) : 0;
  }
};

// Up and down carry a free factor per neuron; both get half of it.
void balance(Matrix& up, Matrix& down_turned) {
  for (std::size_t i = 0; i < up.rows; ++i) {
    const double u = product(up.row(i), up.row(i));
    const double d = product(down_turned.row(i), down_turned.row(i));
    if (u <= 0 || d <= 0) continue;
    const double factor = std::sqrt(std::sqrt(d / u));
    for (double& value : up.row(i)) value *= factor;
    for (double& value : down_turned.row(i)) value /= factor;
  }
}

std::vector<double> row_cosines(const Matrix& a, const Matrix& b) {
  std::vector<double> cosines;
  for (std::size_t i = 0; i < std::min(a.rows, b.rows); ++i) {
    const double size = product(a.row(i), a.row(i)) * product(b.row(i), b.row(i));
    if (size > 0) cosines.push_back(product(a.row(i), b.row(i)) / std::sqrt(size));
  }
  return cosines;
}

// Gains of the two on dimensions that stand against each other; empty when they
// cannot be had.
std::pair<std::vector<double>, std::vector<double>> paired_gains(const Gains& mine,
                                                                 const Gains& theirs,
                                                                 const Alignment& alignment) {
  std::pair<std::vector<double>, std::vector<double>> paired;
  if (!alignment.by_width()) {
    if (mine.channels != theirs.channels || mine.values.size() != theirs.values.size()) return {};
    paired.first.assign(mine.values.begin(), mine.values.end());
    paired.second.assign(theirs.values.begin(), theirs.values.end());
    return paired;
  }
  if (!mine.channels.empty() || !theirs.channels.empty()) return {};
  for (std::size_t i = 0; i < alignment.dimensions.subject.size(); ++i) {
    const std::uint64_t a = alignment.dimensions.subject[i];
    const std::uint64_t b = alignment.dimensions.base[i];
    if (a >= mine.values.size() || b >= theirs.values.size()) return {};
    paired.first.push_back(static_cast<double>(mine.values[a]));
    paired.second.push_back(static_cast<double>(theirs.values[b]));
  }
  return paired;
}

bool is_constant(const std::vector<double>& values) {
  return std::ranges::adjacent_find(values, std::not_equal_to{}) == values.end();
}

std::optional<double> gains_correlation(const Side& subject, const Side& base,
                                        const Alignment& alignment) {
  std::vector<double> correlations;
  for (const auto& [a, b] : alignment.layers) {
    for (const char* role : {"attn.norm", "ffn.norm"}) {
      const Gains* mine = subject.sketch.gain(role, a);
      const Gains* theirs = base.sketch.gain(role, b);
      if (mine == nullptr || theirs == nullptr) continue;
      const auto [x, y] = paired_gains(*mine, *theirs, alignment);
      if (x.empty() || is_constant(x) || is_constant(y)) continue;
      correlations.push_back(rank_correlation(x, y));
    }
  }
  if (correlations.empty()) return std::nullopt;
  return median(std::move(correlations));
}

}  // namespace

void decide(Origin& origin) {
  origin.descent = origin.measured && origin.gains && origin.spectrum &&
                   *origin.gains >= least_gains && *origin.spectrum >= least_spectrum &&
                   *origin.gains >= origin.row_cosine - gains_slack(origin.row_cosine);
}

std::string origin_in_words(const Origin& origin) {
  if (!origin.measured || !origin.gains || !origin.spectrum) {
    return "the models have no trained norm gains that could tell descent from a shared seed";
  }
  return fmt::format(
      "gains correlate at {:.2f} (chance ±{:.2f}, descent {:.2f} and more), strong directions are "
      "kept {:.2f} times as well as weak ones (descent {:.2f} and more), matched rows have cosine "
      "{:.2f}",
      *origin.gains, origin.chance, least_gains, *origin.spectrum, least_spectrum,
      origin.row_cosine);
}

double spectrum_ratio(const Matrix& own, const Matrix& other) {
  if (own.rows != other.rows || own.cols != other.cols) return 0;
  if (own.rows > own.cols) return spectrum_ratio(transposed(own), transposed(other));
  if (own.rows < fewest_units) return 0;
  const Matrix gram = times_transposed(own, own, 1);
  const Matrix across = times_transposed(other, own, 1);  // W'Wᵀ: uᵀW'v/σ = uᵀ(W'Wᵀ)u/σ²
  using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto size = static_cast<Eigen::Index>(own.rows);
  const Eigen::Map<const Dense> gram_view(gram.values.data(), size, size);
  const Eigen::Map<const Dense> across_view(across.values.data(), size, size);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver{Eigen::MatrixXd(gram_view)};
  std::vector<double> kept;  // from the largest singular value down
  const double floor = 1e-12 * solver.eigenvalues()(size - 1);
  for (Eigen::Index i = size; i-- > 0;) {
    const Eigen::VectorXd u = solver.eigenvectors().col(i);
    const double squared = solver.eigenvalues()(i);
    if (squared <= floor) continue;
    kept.push_back(u.dot(across_view * u) / squared);
  }
  if (kept.size() < fewest_units) return 0;
  const auto top = kept.begin() + static_cast<std::ptrdiff_t>(kept.size() / 8);
  const auto bottom = kept.begin() + static_cast<std::ptrdiff_t>(kept.size() / 2);
  const double weak = median(std::vector<double>(bottom, kept.end()));
  if (weak == 0) return 0;
  return median(std::vector<double>(kept.begin(), top)) / weak;
}

Result<Origin> indexed_origin(const Side& subject, const Side& base, const Alignment& alignment) {
  Origin origin;
  origin.gains = gains_correlation(subject, base, alignment);
  const auto width = std::max<std::uint64_t>(3, subject.sketch.architecture.hidden);
  origin.chance = 1 / std::sqrt(static_cast<double>(width - 1));
  Ratios ratios;
  std::vector<double> cosines;
  for (const std::size_t place : spread_places(alignment.layers.size(), most_layers)) {
    auto parts = layer_parts(subject, base, alignment, place);
    if (!parts) return std::unexpected(std::move(parts.error()));
    balance(parts->subject.up, parts->subject.down);
    balance(parts->base.up, parts->base.down);
    ratios.add(parts->subject.up, parts->base.up);
    ratios.add(parts->subject.down, parts->base.down);
    ratios.add(parts->subject.value, parts->base.value);
    const auto of_layer = row_cosines(parts->subject.gate, parts->base.gate);
    if (!of_layer.empty()) cosines.push_back(median(of_layer));
  }
  origin.spectrum = ratios.geometric_mean();
  origin.row_cosine = median(cosines);
  origin.measured = origin.spectrum.has_value();
  decide(origin);
  return origin;
}

}  // namespace pedigree
