#include "compare/power.h"

#include <cmath>

#include "compare/assignment.h"
#include "compare/bounds.h"

namespace pedigree {
namespace {

constexpr int repeats = 6;
constexpr int steps = 19;                   // 0.05 … 0.95
constexpr std::size_t most_witnesses = 16;  // plants for deeper models are scaled up

double length(std::span<const double> row) {
  double squares = 0;
  for (const double value : row) squares += value * value;
  return std::sqrt(squares);
}

// Each subject row becomes cos · (base row) + sin · (its own, dealt at random).
Witness planted(const Witness& witness, double cosine, std::uint64_t seed) {
  const double sine = std::sqrt(1 - cosine * cosine);
  Witness result = witness;
  const auto order = seeded_permutation(witness.views.front().subject.rows, seed);
  for (View& view : result.views) {
    const Matrix own = view.subject;
    for (std::size_t i = 0; i < own.rows; ++i) {
      const auto mine = own.row(order[i]);
      const auto theirs = view.base.row(i);
      const double my_length = length(mine);
      const double their_length = length(theirs);
      if (my_length <= 0 || their_length <= 0) continue;
      for (std::size_t j = 0; j < own.cols; ++j) {
        view.subject.at(i, j) = cosine * theirs[j] / their_length + sine * mine[j] / my_length;
      }
    }
  }
  return result;
}

// Would the count at this cosine pass in 999 of 1000 repeats?
bool would_show(const std::vector<Witness>& witnesses, std::size_t all, double cosine,
                double threshold) {
  double total = 0;
  double squares = 0;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    double count = 0;
    for (std::size_t i = 0; i < witnesses.size(); ++i) {
      const auto seed = static_cast<std::uint64_t>(repeat) * 1000 + i + 1;
      count +=
          static_cast<double>(matched_count(similarity(planted(witnesses[i], cosine, seed)), seed));
    }
    total += count;
    squares += count * count;
  }
  const double mean = total / repeats;
  const double variance = std::max(0.0, squares / repeats - mean * mean) * repeats / (repeats - 1);
  const double scale = static_cast<double>(all) / static_cast<double>(witnesses.size());
  // Never less than Poisson spread: a handful of repeats can agree by accident.
  const double spread = std::sqrt(std::max(variance, mean) * scale);
  const double sure = mean * scale - 3.09 * spread;
  return sure >= 1 && log10_pooled_matches(static_cast<std::uint64_t>(sure), all) <= threshold;
}

}  // namespace

std::optional<double> power_of(const std::vector<Witness>& witnesses, double threshold) {
  if (witnesses.empty()) return std::nullopt;
  std::vector<Witness> planted_in;
  const std::size_t stride = (witnesses.size() + most_witnesses - 1) / most_witnesses;
  for (std::size_t i = 0; i < witnesses.size(); i += stride) planted_in.push_back(witnesses[i]);
  int low = 0;  // does not show (no likeness at all), or unknown
  int high = steps + 1;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (would_show(planted_in, witnesses.size(), 0.05 * middle, threshold) ? high : low) = middle;
  }
  if (high > steps) return std::nullopt;
  return 0.05 * high;
}

}  // namespace pedigree
