// The sign-symmetry test: faint descent at the cost of one product per unit.
//
// Negating a neuron's up row together with its down column changes nothing a gated
// model computes, and neither initialisers nor elementwise optimisers prefer one of
// the two. So under independent training the likeness a of a unit to the unit of its
// own number is as often −|a| as |a|, whatever the values are, and
//   P(Σa ≥ t √Σa²) ≤ exp(−t²/2)                       (Hoeffding 1963, theorem 2)
// for every number of units and every distribution. The same holds for value channels
// (row of v with columns of o) and, in models whose norms only rescale, for residual
// dimensions. It does not hold for gate rows, neurons without a gate, biases and gains.
#pragma once

#include <cstddef>
#include <optional>

#include "compare/witness.h"

namespace pedigree {

// Units whose signs are free, each counted once with all its views added up.
struct SignSum {
  double total = 0;    // Σ a
  double squares = 0;  // Σ a²
  std::size_t units = 0;
  double views = 0;  // cosines that were added up, over all units

  void add(double likeness, std::size_t view_count = 1);
  void add(const SignSum& other);
  double deviations() const;  // Σa / √Σa²; 0 when there is nothing
};

// log10 of the bound; 0 for units that are unlike on the whole.
double log10_p(const SignSum& sum, double log10_tries = 0);

// Units as rows made ready for products. Each column is divided by its root mean
// square over the units, which no sign can move, so that a few massive features do not
// drown the others; each row loses its mean over the features, which a quantiser that
// rounds one way leaves in both models alike, and gets length one. Empty rows stay.
PreparedRows signed_rows(Matrix matrix);

// The least mean cosine of corresponding units, in hundredths, that would have given
// p ≤ 10^level with probability 0.999, or nothing when not even equality would. `sum`
// is that of unrelated units and gives how much they scatter. True for cosines that
// differ from unit to unit by up to their mean (a coefficient of variation of one).
std::optional<double> sign_power(const SignSum& sum, double log10_level);

}  // namespace pedigree
