// How many hits are too many for a rate: the interval calibration tests rest on.
#pragma once

#include <cmath>

namespace pedigree {

// Smallest rate p with P(Binomial(n, p) ≥ hits) ≥ 0.005, by bisection.
inline double lower_bound_99(int hits, int n) {
  if (hits == 0) return 0;
  const auto tail = [&](double p) {
    double below = 0;
    for (int k = 0; k < hits; ++k) {
      below += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                        k * std::log(p) + (n - k) * std::log1p(-p));
    }
    return 1 - below;
  };
  double low = 0;
  double high = static_cast<double>(hits) / n;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (tail(middle) < 0.005 ? low : high) = middle;
  }
  return low;
}

}  // namespace pedigree
