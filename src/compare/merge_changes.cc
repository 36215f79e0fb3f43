#include "compare/merge_changes.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace pedigree {
namespace {

using Values = std::vector<double>;

constexpr double plain_change = 6;  // in units: below, a ratio of changes says too little
constexpr double half_unit = 0.55;
constexpr double arithmetic = 1.0 / 512;  // of a change, lost when it was computed in bf16

Values minus(const Values& a, const Values& b) {
  Values out(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = a[i] - b[i];
  return out;
}

double value_of(const Recipe& recipe, const Counted& part, std::size_t entry, unsigned subset) {
  double sum = 0;
  double shares = 0;
  for (std::size_t j = 0; j < recipe.factor.size(); ++j) {
    if ((subset >> j & 1U) == 0) continue;
    const double own = recipe.factor[j] * part.parents[j][entry];
    sum += recipe.share.empty() ? own : recipe.share[j] * own;
    shares += recipe.share.empty() ? 0 : recipe.share[j];
  }
  return recipe.share.empty() || shares <= 0 ? sum : sum / shares;
}

bool is_near(double change, double value, double unit) {
  return std::abs(change - value) <= half_unit * unit + arithmetic * std::abs(value);
}

// 0 where under a fiftieth of the entries agree.
double factor_of(const Counted& part, std::size_t parent) {
  const Stabbing peak = factor_peak(part, parent);
  return 50 * peak.count >= part.change.size() ? peak.place : 0;
}

// In means of two parents, the share of the first.
double share_of_first(const Counted& part, const Values& factor, std::size_t a, std::size_t b) {
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < part.change.size(); ++i) {
    const double first = factor[a] * part.parents[a][i];
    const double second = factor[b] * part.parents[b][i];
    const double between = first - second;
    const double change = part.change[i];
    if (first * second <= 0 || std::abs(between) < plain_change * part.unit[i]) continue;
    if (is_near(change, first, part.unit[i]) || is_near(change, second, part.unit[i])) continue;
    const double middle = (change - second) / between;
    const double half = half_unit * part.unit[i] / std::abs(between);
    if (middle > 0 && middle < 1) intervals.push_back({middle - half, middle + half});
  }
  return intervals.empty() ? 0.5 : most_covered(intervals).place;
}

}  // namespace

Stabbing most_covered(const std::vector<Interval>& intervals) {
  std::vector<std::pair<double, int>> ends;
  ends.reserve(2 * intervals.size());
  for (const Interval& each : intervals) {
    ends.emplace_back(each.low, -1);  // opening sorts before closing at the same place
    ends.emplace_back(each.high, 1);
  }
  std::ranges::sort(ends);
  Stabbing best;
  std::size_t open = 0;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i].second == 1) {
      --open;
      continue;
    }
    ++open;
    if (open > best.count) {
      best.count = open;
      best.place = (ends[i].first + ends[i + 1].first) / 2;
    }
  }
  return best;
}

Counted counted(const MergePart& part, const Reading& reading) {
  const Values& base = part.candidates[reading.base];
  const Values& zero = reading.reversed ? part.subject : base;
  Counted out{.change = minus(reading.reversed ? base : part.subject, zero)};
  for (const std::size_t each : reading.parents) {
    out.parents.push_back(minus(part.candidates[each], zero));
  }
  out.unit = part.unit;
  if (reading.reversed) {
    for (std::size_t i = 0; i < out.unit.size(); ++i) {
      out.unit[i] = part.candidate_unit(reading.base, i);
    }
  }
  return out;
}

unsigned matching_subsets(const Recipe& recipe, const Counted& part, std::size_t entry,
                          double change) {
  unsigned found = 0;
  for (unsigned subset = 0; subset < 1U << recipe.factor.size(); ++subset) {
    const double value = value_of(recipe, part, entry, subset);
    const bool fits = subset == 0 ? change == 0 : is_near(change, value, part.unit[entry]);
    if (fits) found |= 1U << subset;
  }
  return found;
}

Stabbing factor_peak(const Counted& part, std::size_t parent) {
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < part.change.size(); ++i) {
    const double own = part.parents[parent][i];
    if (part.change[i] == 0 || std::abs(own) < plain_change * part.unit[i]) continue;
    const double middle = part.change[i] / own;
    const double half = half_unit * part.unit[i] / std::abs(own);
    if (middle > 0.02 && middle < 50) intervals.push_back({middle - half, middle + half});
  }
  return most_covered(intervals);
}

Recipe sums(const Counted& part) {
  Recipe recipe;
  for (std::size_t j = 0; j < part.parents.size(); ++j) recipe.factor.push_back(factor_of(part, j));
  return recipe;
}

Recipe means(const Counted& part, Recipe recipe) {
  recipe.share.assign(recipe.factor.size(), 1);
  for (std::size_t j = 1; j < recipe.factor.size(); ++j) {
    const double first = std::clamp(share_of_first(part, recipe.factor, 0, j), 0.01, 0.99);
    recipe.share[j] = (1 - first) / first;
  }
  const double total = std::accumulate(recipe.share.begin(), recipe.share.end(), 0.0);
  for (double& share : recipe.share) share /= total;
  return recipe;
}

}  // namespace pedigree
