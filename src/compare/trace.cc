#include "compare/trace.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace pedigree {

void TraceSum::add(const Matrix& similarity) {
  const std::size_t n = similarity.rows;
  if (n < 2 || similarity.cols != n) return;
  const double count = static_cast<double>(n);
  std::vector<double> row_means(n);
  std::vector<double> col_means(n);
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      row_means[i] += similarity.at(i, j) / count;
      col_means[j] += similarity.at(i, j) / count;
    }
    trace += similarity.at(i, i);
  }
  double mean = 0;
  for (const double value : row_means) mean += value / count;
  double squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const double d = similarity.at(i, j) - row_means[i] - col_means[j] + mean;
      squares += d * d;
    }
  }
  above += trace - count * mean;
  variance += squares / (count - 1);
}

void TraceSum::add(const TraceSum& other) {
  above += other.above;
  variance += other.variance;
}

double TraceSum::deviations() const { return variance > 0 ? above / std::sqrt(variance) : 0; }

double log10_p(const TraceSum& trace) {
  const double p = std::erfc(trace.deviations() / std::numbers::sqrt2) / 2;
  return std::max(-4.0, std::log10(std::max(p, 1e-300)));
}

}  // namespace pedigree
