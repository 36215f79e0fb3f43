#include "compare/dense.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr int most_iterations = 60;

std::vector<double> ranks(std::span<const double> values) {
  auto order = first_indices(values.size());
  std::ranges::sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> rank(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    const double shared = static_cast<double>(i + end - 1) / 2;
    for (; i < end; ++i) rank[order[i]] = shared;
  }
  return rank;
}

// An upper bound of the largest singular value.
double norm_bound(const Matrix& matrix) {
  double largest_row = 0;
  std::vector<double> columns(matrix.cols);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    double total = 0;
    for (std::size_t j = 0; j < matrix.cols; ++j) {
      total += std::abs(matrix.at(i, j));
      columns[j] += std::abs(matrix.at(i, j));
    }
    largest_row = std::max(largest_row, total);
  }
  return std::sqrt(largest_row * *std::ranges::max_element(columns));
}

}  // namespace

double product(std::span<const double> a, std::span<const double> b) { return dot(a, b); }

// In panels: some rows of b stay in the cache while they meet several rows of a.
Matrix times_transposed(const Matrix& a, const Matrix& b, unsigned threads) {
  check(a.cols == b.cols, "a product of matrices that do not fit");
  constexpr std::size_t rows_at_once = 16;
  constexpr std::size_t panel_values = std::size_t{1} << 15U;
  const std::size_t panel =
      std::max<std::size_t>(4, panel_values / std::max<std::size_t>(1, b.cols));
  const std::size_t groups = (a.rows + rows_at_once - 1) / rows_at_once;
  Matrix result(a.rows, b.rows);
  const auto multiply = [&](std::size_t group) -> std::optional<Problem> {
    const std::size_t end = std::min(a.rows, (group + 1) * rows_at_once);
    for (std::size_t j = 0; j < b.rows; j += panel) {
      const std::size_t count = std::min(panel, b.rows - j);
      const auto rows = std::span(b.values).subspan(j * b.cols, count * b.cols);
      for (std::size_t i = group * rows_at_once; i < end; ++i) {
        dots(a.row(i), rows, result.row(i).subspan(j, count));
      }
    }
    return std::nullopt;
  };
  const bool small = a.rows * b.rows * a.cols < 1'000'000;
  const auto failed = parallel_for(groups, small ? 1 : threads, {}, multiply);
  check(!failed, "a product cannot fail");
  return result;
}

Matrix transposed(const Matrix& matrix) {
  Matrix turned(matrix.cols, matrix.rows);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j < matrix.cols; ++j) turned.at(j, i) = matrix.at(i, j);
  }
  return turned;
}

void scale_rows(Matrix& matrix) {
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    const double squares = product(row, row);
    if (squares <= 0) continue;
    const double scale = 1 / std::sqrt(squares);
    for (double& value : row) value *= scale;
  }
}

Matrix nearest_orthogonal(const Matrix& matrix, unsigned threads) {
  check(matrix.rows == matrix.cols, "a polar factor of a matrix that is not square");
  Matrix x = matrix;
  const double bound = norm_bound(x);
  if (bound <= 0) return x;
  for (double& value : x.values) value /= bound;
  for (int i = 0; i < most_iterations; ++i) {
    const Matrix turned = transposed(x);
    Matrix gram = times_transposed(turned, turned, threads);  // XᵀX, symmetric
    double off = 0;
    for (std::size_t row = 0; row < gram.rows; ++row) {
      for (std::size_t col = 0; col < gram.cols; ++col) {
        const double target = row == col ? 1 : 0;
        off = std::max(off, std::abs(gram.at(row, col) - target));
        gram.at(row, col) = (3 * target - gram.at(row, col)) / 2;
      }
    }
    x = times_transposed(x, gram, threads);
    if (off < 1e-9) break;
  }
  return x;
}

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size() || a.size() < 3) return 0;
  auto x = ranks(a);
  auto y = ranks(b);
  const double mean = static_cast<double>(a.size() - 1) / 2;
  for (double& value : x) value -= mean;
  for (double& value : y) value -= mean;
  const double spread = product(x, x) * product(y, y);
  return spread > 0 ? product(x, y) / std::sqrt(spread) : 0;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, half);
  return *half;
}

std::vector<std::size_t> spread_places(std::size_t size, std::size_t count) {
  std::vector<std::size_t> places;
  const std::size_t wanted = std::min(size, count);
  places.reserve(wanted);
  for (std::size_t i = 0; i < wanted; ++i) {
    places.push_back(wanted == 1 ? 0 : i * (size - 1) / (wanted - 1));
  }
  return places;
}

}  // namespace pedigree
