// The subject's matrices as sums of candidates': least squares, matrix by matrix.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "compare/merge_parts.h"

namespace pedigree {

// One matrix. Sums run over the entries whose unit is known.
struct PartFit {
  std::vector<double> weights = {};  // by the candidates of the fit
  // The first candidate with the very same values in this matrix: itself, mostly.
  // Weight and blame of twins fall to the first.
  std::vector<std::size_t> twin = {};
  std::vector<double> removal = {};         // what the squared residual grows by without each
  double residual = 0;                      // Σ (subject − Σ w·candidate)²
  double energy = 0;                        // Σ subject²
  double rounding = 0;                      // Σ unit²/12: what one rounding leaves
  std::vector<double> other_rounding = {};  // the same of each candidate's values
  std::size_t samples = 0;
  std::size_t outside = 0;                      // entries further off than one rounding can be
  std::vector<std::size_t> other_outside = {};  // of a candidate, solved for from the others

  bool shows(std::size_t candidate) const;  // that it has no twin here
};

struct MergeFit {
  std::vector<std::size_t> candidates = {};  // places in MergeParts
  std::vector<PartFit> parts = {};           // by part
  double condition = 1;

  double residual() const;
  double energy() const;
  double rounding() const;
  std::size_t samples() const;
  std::size_t outside() const;
  double rounding_ratio() const;  // root of residual() over rounding()
  // The share of `candidate` (a place in `candidates`) over all parts that show
  // it, large matrices counting for more.
  double weight(std::size_t candidate, const MergeParts& parts) const;
};

// Weights free in every matrix. The first candidate is the one that the others'
// differences are counted from; the nearest to the subject loses fewest digits.
MergeFit fit_merge(const MergeParts& parts, std::span<const std::size_t> candidates);

// The same without the candidates it can do without: those whose removal costs
// no more than noise does, one at a time, the cheapest first.
MergeFit fit_without_unneeded(const MergeParts& parts, std::vector<std::size_t> candidates);

// The best that one candidate alone does, free to be scaled in every matrix.
struct SingleFit {
  std::size_t candidate = 0;
  double residual = 0;
  double rounding = 0;
  std::size_t samples = 0;
  std::size_t outside = 0;
};
std::vector<SingleFit> fit_singles(const MergeParts& parts);  // by candidate

}  // namespace pedigree
