#include "compare/sign_symmetry.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "compare/dense.h"

namespace pedigree {
namespace {

constexpr double one_in_a_thousand = 3.0902;  // normal deviations
constexpr double uneven = 2;                  // 1 + (coefficient of variation)²

}  // namespace

void SignSum::add(double likeness, std::size_t view_count) {
  if (likeness == 0) return;  // empty on one side
  total += likeness;
  squares += likeness * likeness;
  ++units;
  views += static_cast<double>(view_count);
}

void SignSum::add(const SignSum& other) {
  total += other.total;
  squares += other.squares;
  units += other.units;
  views += other.views;
}

double SignSum::deviations() const { return squares > 0 ? total / std::sqrt(squares) : 0; }

double log10_p(const SignSum& sum, double log10_tries) {
  const double z = std::max(0.0, sum.deviations());
  return std::min(0.0, -z * z / (2 * std::numbers::ln10) + log10_tries);
}

PreparedRows signed_rows(Matrix matrix) {
  std::vector<double> size(matrix.cols);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) size[j] += row[j] * row[j];
  }
  const std::vector<double> ones(matrix.cols, 1.0);
  for (double& value : size) value = value > 0 ? 1 / std::sqrt(value) : 1;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] *= size[j];
    const double mean = product(row, ones) / static_cast<double>(row.size());
    if (std::ranges::all_of(row, [](double value) { return value == 0; })) continue;
    for (double& value : row) value -= mean;
  }
  scale_rows(matrix);
  return in_floats(matrix);
}

std::optional<double> sign_power(const SignSum& sum, double log10_level) {
  if (sum.units == 0 || log10_level >= 0) return std::nullopt;
  const double n = static_cast<double>(sum.units);
  const double views = sum.views / n;
  const double needed = std::sqrt(-log10_level * 2 * std::numbers::ln10) + one_in_a_thousand;
  const double share = needed * needed / n;
  // n·(views·c) ≥ needed · √(n·(uneven·(views·c)² + scatter²)), solved for c.
  if (uneven * share >= 1) return std::nullopt;
  const double scatter = sum.squares / n;
  const double least = std::sqrt(share * scatter / (1 - uneven * share)) / views;
  const double hundredths = std::ceil(least * 100) / 100;
  if (hundredths >= 1) return std::nullopt;
  return hundredths;
}

}  // namespace pedigree
