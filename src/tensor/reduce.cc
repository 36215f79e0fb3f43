#include "tensor/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/problem.h"
#include "tensor/kernels/kernels.h"

namespace pedigree {
namespace {

constexpr std::size_t lanes = 8;

double folded(const std::array<double, lanes>& lane) {
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

}  // namespace

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

double sum(std::span<const float> values) {
  std::array<double, lanes> lane = {};
  const std::size_t whole = values.size() / lanes * lanes;
  for (std::size_t i = 0; i < whole; i += lanes) {
    for (std::size_t j = 0; j < lanes; ++j) lane[j] += static_cast<double>(values[i + j]);
  }
  for (std::size_t i = whole; i < values.size(); ++i) {
    lane[i - whole] += static_cast<double>(values[i]);
  }
  return folded(lane);
}

double dot(std::span<const float> a, std::span<const float> b) {
  check(a.size() == b.size(), "dot of unequal sizes");
  return kernels().dot_floats(a.data(), b.data(), a.size());
}

double dot(std::span<const double> a, std::span<const double> b) {
  check(a.size() == b.size(), "dot of unequal sizes");
  return kernels().dot_doubles(a.data(), b.data(), a.size());
}

void dots(std::span<const float> a, std::span<const float> rows, std::span<double> out) {
  check(rows.size() == a.size() * out.size(), "dots of rows that do not fit");
  kernels().dots_floats(a.data(), rows.data(), a.size(), out.size(), out.data());
}

void dots(std::span<const double> a, std::span<const double> rows, std::span<double> out) {
  check(rows.size() == a.size() * out.size(), "dots of rows that do not fit");
  kernels().dots_doubles(a.data(), rows.data(), a.size(), out.size(), out.data());
}

double sum_of_squares(std::span<const float> values) { return dot(values, values); }

double dot_oracle(std::span<const float> a, std::span<const float> b) {
  std::array<double, lanes> lane = {};
  for (std::size_t i = 0; i < a.size(); ++i) {
    lane[i % lanes] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return folded(lane);
}

}  // namespace pedigree
