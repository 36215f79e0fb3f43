#include "compare/low_rank.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "compare/rounding.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr double margin = 1.5;
constexpr std::uint64_t most_rows = 256;
constexpr std::size_t most_layers = 8;  // for deep models the first, last and some between

// Sorted from the largest: square roots of the eigenvalues of the smaller Gram
// matrix. Squaring costs half the digits; the floor lies far above what is lost.
std::vector<double> singular_values(const Matrix& difference) {
  using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Dense> values(difference.values.data(),
                                       static_cast<Eigen::Index>(difference.rows),
                                       static_cast<Eigen::Index>(difference.cols));
  const Eigen::MatrixXd gram = difference.rows <= difference.cols
                                   ? Eigen::MatrixXd(values * values.transpose())
                                   : Eigen::MatrixXd(values.transpose() * values);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram, Eigen::EigenvaluesOnly);
  std::vector<double> result;
  for (Eigen::Index i = gram.rows(); i-- > 0;) {
    result.push_back(std::sqrt(std::max(0.0, solver.eigenvalues()(i))));
  }
  return result;
}

std::vector<std::uint64_t> spread_indices(std::uint64_t size) {
  std::vector<std::uint64_t> indices(std::min(size, most_rows));
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = i * size / indices.size();
  return indices;
}

Result<Matrix> spread_part(const Model& model, std::string_view role, int layer) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr) return Matrix{};
  const auto rows = spread_indices(tensor->rows);
  const auto cols = spread_indices(tensor->cols);
  auto values = read_block(model, *tensor, rows, cols);
  if (!values) return std::unexpected(std::move(values.error()));
  Matrix part(rows.size(), cols.size());
  std::ranges::transform(*values, part.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return part;
}

Result<RankCount> rank_of(const Side& subject, const Side& base, const Alignment& alignment,
                          const Change& change) {
  const bool both = subject.weights != nullptr && base.weights != nullptr &&
                    alignment.neurons_by_index && alignment.hidden_by_index;
  if (!both) {
    return rank_of_change(change.subject, change.base, change.subject_type, true);
  }
  const auto mine = spread_part(*subject.weights, change.role, change.subject_layer);
  if (!mine) return std::unexpected(mine.error());
  const auto theirs = spread_part(*base.weights, change.role, change.base_layer);
  if (!theirs) return std::unexpected(theirs.error());
  if (mine->rows != theirs->rows || mine->cols != theirs->cols) return RankCount{};
  return rank_of_change(*mine, *theirs, change.subject_type, false);
}

std::set<int> layers_looked_at(const LayerMap& layers) {
  std::set<int> chosen;
  const std::size_t count = std::min(layers.size(), most_layers);
  for (std::size_t i = 0; i < count; ++i) {
    chosen.insert(layers[i * (layers.size() - 1) / std::max<std::size_t>(1, count - 1)].first);
  }
  return chosen;
}

}  // namespace

RankCount rank_of_change(const Matrix& subject, const Matrix& base, const ElementType* subject_type,
                         bool sketch_only) {
  RankCount count{.limit = std::min(subject.rows, subject.cols)};
  if (count.limit == 0) return count;
  int precision = subject_type == nullptr ? 0 : subject_type->precision;
  if (sketch_only) precision = std::min(precision, 11);
  const int smallest = subject_type == nullptr ? -149 : subject_type->smallest_exponent;
  Matrix difference(subject.rows, subject.cols);
  double noise = 0;
  for (std::size_t i = 0; i < difference.values.size(); ++i) {
    difference.values[i] = subject.values[i] - base.values[i];
    const double ulp = unit_in_last_place(subject.values[i], precision, smallest);
    noise += ulp * ulp / 12;
  }
  noise = std::sqrt(noise / static_cast<double>(difference.values.size()));
  const auto values = singular_values(difference);
  const double edge = noise * (std::sqrt(static_cast<double>(difference.rows)) +
                               std::sqrt(static_cast<double>(difference.cols)));
  const double floor = std::max(margin * edge, 1e-7 * values.front());
  while (count.rank < values.size() && values[count.rank] > floor) ++count.rank;
  if (count.rank > 0 && count.rank < values.size()) {
    count.gap = values[count.rank - 1] / std::max(values[count.rank], floor / margin);
  }
  return count;
}

Result<std::optional<Lora>> low_rank_update(const Side& subject, const Side& base,
                                            const Alignment& alignment,
                                            const std::vector<Change>& all) {
  const std::set<int> layers = layers_looked_at(alignment.layers);
  std::map<std::size_t, std::size_t> votes;
  std::set<std::string> roles;
  std::size_t looked_at = 0;
  bool untouched = false;
  for (const Change& change : all) {
    untouched = untouched || (change.subject_is_rounded && change.informative);
    if (change.is_vector || change.subject_layer < 0 || change.subject_is_rounded) continue;
    roles.insert(change.role);
    if (!layers.contains(change.subject_layer)) continue;
    const auto rank = rank_of(subject, base, alignment, change);
    if (!rank) return std::unexpected(rank.error());
    if (5 * rank->rank > 2 * rank->limit) return std::nullopt;  // as good as full
    ++votes[rank->rank];
    ++looked_at;
  }
  if (looked_at == 0 || !untouched) return std::nullopt;
  const auto most =
      std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  if (most->first == 0 || 10 * most->second < 7 * looked_at) return std::nullopt;
  return Lora{.rank = most->first, .roles = {roles.begin(), roles.end()}};
}

}  // namespace pedigree
