// The trace of the similarity of two sets of units: is the diagonal larger than any
// other pairing would make it? Screening only.
//
// Under random pairing T = ΣSᵢᵢ has mean n·mean(S) and variance Σd²/(n−1), d the
// doubly centred S. Sensitive, but its tail is asymptotic: two rows that one shared
// column dominates reach six deviations with probability 6e-4. So its p is never
// given below 1e-4, and it never carries a verdict.
#pragma once

#include "compare/assignment.h"

namespace pedigree {

// Traces of independent witnesses, added up.
struct TraceSum {
  double above = 0;     // Σ (T − mean)
  double variance = 0;  // Σ variances

  void add(const Matrix& similarity);  // square
  void add(const TraceSum& other);
  double deviations() const;
};

double log10_p(const TraceSum& trace);  // one-sided, at least −4

}  // namespace pedigree
