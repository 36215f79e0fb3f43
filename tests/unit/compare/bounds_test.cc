#include "compare/bounds.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace pedigree {
namespace {

std::size_t fixed_points(const std::vector<int>& order) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < order.size(); ++i) count += order[i] == static_cast<int>(i) ? 1U : 0U;
  return count;
}

std::size_t longest_run(const std::vector<int>& order) {
  std::vector<std::size_t> length(order.size(), 1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (order[j] < order[i]) length[i] = std::max(length[i], length[j] + 1);
    }
  }
  return *std::ranges::max_element(length);
}

// The share of all orders of `size` things for which `measure` is at least each
// value from 0 to size.
template <class Measure>
std::vector<double> exact_tail(int size, const Measure& measure) {
  std::vector<int> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> at_least(order.size() + 1);
  double orders = 0;
  do {
    for (std::size_t k = 0; k <= measure(order); ++k) at_least[k] += 1;
    orders += 1;
  } while (std::ranges::next_permutation(order).found);
  for (double& share : at_least) share /= orders;
  return at_least;
}

}  // namespace

TEST_CASE("sixty-four of sixty-four matches have the probability 1/64!") {
  CHECK(log10_pooled_matches(64, 1) == doctest::Approx(-89.1034).epsilon(1e-5));
}

TEST_CASE("three matches of one permutation are bounded by 1/6") {
  CHECK(std::pow(10, log10_pooled_matches(3, 1)) == doctest::Approx(1.0 / 6));
}

TEST_CASE("the pooled bound is the smallest of its terms") {
  for (const int layers : {1, 2, 4, 7, 32}) {
    for (int count = 1; count <= 40; ++count) {
      double smallest = 0;
      for (int j = 1; j <= count; ++j) {
        const double term = j * std::log10(layers) + std::lgamma(count - j + 1) / std::log(10.0) -
                            std::lgamma(count + 1) / std::log(10.0);
        smallest = std::min(smallest, term);
      }
      CAPTURE(layers);
      CAPTURE(count);
      CHECK(log10_pooled_matches(static_cast<std::uint64_t>(count),
                                 static_cast<std::uint64_t>(layers)) == doctest::Approx(smallest));
    }
  }
}

TEST_CASE("fixed points of every order of seven stay below the bound") {
  const auto tail = exact_tail(7, fixed_points);
  for (std::size_t k = 1; k < tail.size(); ++k) {
    CHECK(tail[k] <= std::pow(10, log10_pooled_matches(k, 1)) * (1 + 1e-12));
  }
}

TEST_CASE("increasing runs of every order of seven stay below the bound") {
  const auto tail = exact_tail(7, longest_run);
  for (std::size_t k = 1; k < tail.size(); ++k) {
    CHECK(tail[k] <= std::pow(10, log10_increasing_run(k, 7)) * (1 + 1e-12));
  }
}

TEST_CASE("greedy hits among many are bounded by C(m,k)(n-k)!/n!") {
  // C(256, 3) · 11005!/11008! = 2763520 / (11008 · 11007 · 11006), by hand.
  CHECK(log10_greedy_hits(3, 256, 11008) ==
        doctest::Approx(std::log10(2763520.0 / (11008.0 * 11007.0 * 11006.0))).epsilon(1e-6));
}

TEST_CASE("no count is no evidence") {
  CHECK(log10_pooled_matches(0, 4) == 0);
  CHECK(log10_pooled_matches(5, 0) == 0);
  CHECK(log10_greedy_hits(0, 8, 64) == 0);
  CHECK(log10_increasing_run(0, 8) == 0);
}

}  // namespace pedigree
