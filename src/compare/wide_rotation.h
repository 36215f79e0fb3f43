// The rotation between the residual bases of two wide models, from corresponding
// rows: in floats, since what it is estimated from is far rougher, and by
// polynomials that need fewer products than dense.h's iteration.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/assignment.h"

namespace pedigree {

class WideRotation {
 public:
  WideRotation(std::size_t width, unsigned threads);

  // Rows that stand for the same thing; each counts by its direction alone.
  void add(const Matrix& base, const Matrix& subject);

  // Finds R with base · R ≈ subject from all that was added.
  void solve();

  // rows · Rᵀ: the subject's rows in the base's coordinates. After solve().
  Matrix turned_back(const Matrix& rows) const;

 private:
  std::size_t width_;
  unsigned threads_;
  std::vector<float> values_;  // Σ baseᵀ subject, then R, then Rᵀ
};

// The orthogonal factor of a square row-major matrix; directions under about a
// thousandth of the largest stay unresolved.
std::vector<float> orthogonal_factor(std::vector<float> matrix, std::size_t size, unsigned threads);

}  // namespace pedigree
