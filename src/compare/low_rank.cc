#include "compare/low_rank.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "compare/rounding.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr double margin = 1.5;
constexpr std::uint64_t most_rows = 256;
constexpr std::size_t most_layers = 8;  // for deep models the first, last and some between

std::vector<std::uint64_t> spread_indices(std::uint64_t size) {
  std::vector<std::uint64_t> indices(std::min(size, most_rows));
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = i * size / indices.size();
  return indices;
}

Result<RankCount> rank_of(const Side& subject, const Side& base, const Alignment& alignment,
                          const Change& change) {
  const bool both = subject.weights != nullptr && base.weights != nullptr &&
                    alignment.neurons_by_index && alignment.hidden_by_index &&
                    !alignment.by_width() &&
                    std::ranges::all_of(alignment.experts, &FfnMatch::by_index);
  if (!both) {
    return rank_of_change(change.subject, change.base, change.subject_type, true);
  }
  const auto mine = spread_part(*subject.weights, change.role, change.subject_layer, change.expert);
  if (!mine) return std::unexpected(mine.error());
  const std::string& role = change.base_role.empty() ? change.role : change.base_role;
  const auto theirs = spread_part(*base.weights, role, change.base_layer, change.base_expert);
  if (!theirs) return std::unexpected(theirs.error());
  if (mine->rows != theirs->rows || mine->cols != theirs->cols) return RankCount{};
  return rank_of_change(*mine, *theirs, change.subject_type, false);
}

// An adapter changes all rows and columns; a few edited values have a low rank as well.
bool is_narrow(const Matrix& difference) {
  std::size_t rows = 0;
  std::vector<bool> cols(difference.cols);
  for (std::size_t i = 0; i < difference.rows; ++i) {
    const auto row = difference.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) cols[j] = cols[j] || row[j] != 0;
    rows += std::ranges::any_of(row, [](double value) { return value != 0; }) ? 1U : 0U;
  }
  const auto touched = static_cast<std::size_t>(std::ranges::count(cols, true));
  return 4 * rows < difference.rows || 4 * touched < difference.cols;
}

// What the layers of one role agree on.
struct RoleVotes {
  std::map<std::size_t, std::size_t> votes = {};  // rank to layers
  std::size_t looked_at = 0;
  std::size_t limit = 0;
  double smallest_gap = std::numeric_limits<double>::infinity();

  void add(const RankCount& count) {
    ++votes[count.rank];
    ++looked_at;
    limit = std::max(limit, count.limit);
    smallest_gap = std::min(smallest_gap, count.gap);
  }
  std::size_t rank() const {
    return std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; })->first;
  }
  bool is_agreed() const { return 10 * votes.at(rank()) >= 7 * looked_at; }
  // Half of what the part could show is plain; beyond that the last value above the
  // floor has to stand clear of the first below.
  bool is_low() const {
    return rank() > 0 &&
           (5 * rank() <= 2 * limit || (10 * rank() <= 9 * limit && smallest_gap >= 2));
  }
  bool is_full() const { return 10 * rank() > 9 * limit; }
};

std::optional<Lora> agreed_ranks(const std::map<std::string, RoleVotes>& roles) {
  Lora lora;
  for (const auto& [role, of] : roles) {
    if (of.is_full()) continue;
    if (!of.is_agreed() || !of.is_low()) return std::nullopt;
    lora.rank = std::max<std::uint64_t>(lora.rank, of.rank());
  }
  if (lora.rank == 0) return std::nullopt;
  for (const auto& [role, of] : roles) {
    // Too small to show more: told only by what the other roles have.
    if (of.is_full() && lora.rank < of.limit) return std::nullopt;
    lora.roles.push_back(role);
    lora.ranks.push_back({.role = role, .rank = of.rank(), .at_least = of.is_full()});
  }
  return lora;
}

}  // namespace

Result<Matrix> spread_part(const Model& model, std::string_view role, int layer, int expert) {
  const CanonicalTensor* tensor = model.find(role, layer, expert);
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

std::set<int> layers_looked_at(const LayerMap& layers) {
  std::set<int> chosen;
  const std::size_t count = std::min(layers.size(), most_layers);
  for (std::size_t i = 0; i < count; ++i) {
    chosen.insert(layers[i * (layers.size() - 1) / std::max<std::size_t>(1, count - 1)].first);
  }
  return chosen;
}

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

double rounding_noise(const Matrix& subject, const ElementType* subject_type, bool sketch_only) {
  if (subject.values.empty()) return 0;
  int precision = subject_type == nullptr ? 0 : subject_type->precision;
  if (sketch_only) precision = std::min(precision, 11);
  const int smallest = subject_type == nullptr ? -149 : subject_type->smallest_exponent;
  double noise = 0;
  for (const double value : subject.values) {
    const double ulp = unit_in_last_place(value, precision, smallest);
    noise += ulp * ulp / 12;
  }
  return std::sqrt(noise / static_cast<double>(subject.values.size()));
}

RankCount rank_of_change(const Matrix& subject, const Matrix& base, const ElementType* subject_type,
                         bool sketch_only) {
  RankCount count{.limit = std::min(subject.rows, subject.cols)};
  if (count.limit == 0) return count;
  Matrix difference(subject.rows, subject.cols);
  for (std::size_t i = 0; i < difference.values.size(); ++i) {
    difference.values[i] = subject.values[i] - base.values[i];
  }
  if (is_narrow(difference)) {
    count.rank = count.limit;
    return count;
  }
  const double noise = rounding_noise(subject, subject_type, sketch_only);
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
  std::map<std::string, RoleVotes> roles;
  bool untouched = false;
  for (const Change& change : all) {
    untouched = untouched || (change.subject_is_rounded && change.informative);
    if (change.is_vector || change.subject_layer < 0 || change.subject_is_rounded) continue;
    if (!layers.contains(change.subject_layer)) continue;
    const auto rank = rank_of(subject, base, alignment, change);
    if (!rank) return std::unexpected(rank.error());
    roles[change.role].add(*rank);
  }
  if (!untouched) return std::nullopt;
  return agreed_ranks(roles);
}

}  // namespace pedigree
