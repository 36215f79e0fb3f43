#include "compare/bounds.h"

#include <algorithm>
#include <cmath>

namespace pedigree {
namespace {

double log10_choose(std::uint64_t n, std::uint64_t k) {
  return log10_factorial(n) - log10_factorial(k) - log10_factorial(n - k);
}

}  // namespace

double log10_factorial(std::uint64_t n) {
  return std::lgamma(static_cast<double>(n) + 1) / std::log(10.0);
}

double log10_pooled_matches(std::uint64_t count, std::uint64_t witnesses) {
  if (count == 0 || witnesses == 0) return 0;
  const double log_witnesses = std::log10(static_cast<double>(witnesses));
  // 1 / (j! C(k, j)) = (k−j)! / k!: the terms first fall and then rise with j,
  // by the ratio L / (k − j); the best j is the last with k − j ≥ L.
  const std::uint64_t best = count > witnesses ? count - witnesses : std::uint64_t{1};
  double smallest = 0;
  for (const std::uint64_t j : {best, std::min(best + 1, count)}) {
    const double bound = static_cast<double>(j) * log_witnesses + log10_factorial(count - j) -
                         log10_factorial(count);
    smallest = std::min(smallest, bound);
  }
  return smallest;
}

double log10_greedy_hits(std::uint64_t count, std::uint64_t sampled, std::uint64_t all) {
  if (count == 0 || count > sampled || sampled > all) return 0;
  return std::min(
      0.0, log10_choose(sampled, count) + log10_factorial(all - count) - log10_factorial(all));
}

double log10_increasing_run(std::uint64_t length, std::uint64_t size) {
  if (length == 0 || length > size) return 0;
  return std::min(0.0, log10_choose(size, length) - log10_factorial(length));
}

}  // namespace pedigree
