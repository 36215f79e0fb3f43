#include "compare/net_tables.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <span>
#include <vector>

#include "compare/dense.h"

namespace pedigree {
namespace {

constexpr std::size_t most_rows = 16;
constexpr std::size_t shortest = 32;  // below, noise has much of its power in few waves too
constexpr std::size_t longest = 1024;
constexpr double most_power = 0.5;  // in neighbouring waves; of noise ten times less

bool is_sparse_or_of_one_sign(std::span<const float> values) {
  const auto zeros = std::ranges::count(values, 0.0F);
  const auto negative = std::ranges::count_if(values, [](float value) { return value < 0; });
  const auto size = static_cast<std::ptrdiff_t>(values.size());
  return 2 * zeros >= size || negative == 0 || negative + zeros == size;
}

double power_at(std::span<const float> row, std::size_t wave) {
  const double angle =
      2 * std::numbers::pi * static_cast<double>(wave) / static_cast<double>(row.size());
  const std::complex<double> turn = std::polar(1.0, -angle);
  std::complex<double> at = 1;
  std::complex<double> sum = 0;
  for (const float value : row) {
    sum += static_cast<double>(value) * at;
    at *= turn;
  }
  return std::norm(sum);
}

// By the discrete Fourier transform: a wave, also one between two of its own and under a window,
// has most of its power in five neighbours.
bool is_a_wave(std::span<const float> row) {
  constexpr std::size_t neighbours = 5;
  std::vector<double> power;
  double whole = 0;
  for (std::size_t wave = 1; wave <= row.size() / 2; ++wave) {
    power.push_back(power_at(row, wave));
    whole += power.back();
  }
  double largest = 0;
  for (std::size_t i = 0; i + neighbours <= power.size(); ++i) {
    double some = 0;
    for (std::size_t k = i; k < i + neighbours; ++k) some += power[k];
    largest = std::max(largest, some);
  }
  return whole > 0 && largest > most_power * whole;
}

// Over half of up to sixteen of `count` rows, value `at(row, i)` for i below `width`.
template <class At>
bool are_waves(std::size_t count, std::size_t width, At at) {
  if (width < shortest) return false;
  std::size_t waves = 0;
  std::vector<float> row(std::min(width, longest));
  const auto places = spread_places(count, most_rows);
  for (const std::size_t place : places) {
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = at(place, i);
    waves += is_a_wave(row) ? 1U : 0U;
  }
  return 2 * waves > places.size();
}

}  // namespace

bool is_computed(const NetPair& pair) {
  const std::span<const float> values = pair.mine;
  if (is_sparse_or_of_one_sign(values)) return true;
  const std::size_t rows = pair.shape.empty() ? 1 : static_cast<std::size_t>(pair.shape.front());
  const std::size_t width = values.size() / rows;
  const auto along_rows = [&](std::size_t row, std::size_t i) { return values[row * width + i]; };
  if (are_waves(rows, width, along_rows)) return true;
  if (pair.shape.size() > 3) return false;
  // Positions come first in tables of sines and of rotary angles, so waves run down the columns.
  const std::size_t cols = pair.shape.empty() ? 1 : static_cast<std::size_t>(pair.shape.back());
  const auto down = [&](std::size_t col, std::size_t i) { return values[i * cols + col]; };
  return are_waves(cols, values.size() / cols, down);
}

}  // namespace pedigree
