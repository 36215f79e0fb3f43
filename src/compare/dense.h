// Small dense algebra that gives the same bits everywhere.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compare/assignment.h"

namespace pedigree {

// Eight fixed lanes, one fold order.
double product(std::span<const double> a, std::span<const double> b);

// a · bᵀ; rows in parallel, results by slot.
Matrix times_transposed(const Matrix& a, const Matrix& b, unsigned threads);

Matrix transposed(const Matrix& matrix);

// Rows to unit length; empty rows stay.
void scale_rows(Matrix& matrix);

// The orthogonal matrix nearest to a square one: its polar factor, by Newton and
// Schulz's iteration X ← X(3 − XᵀX)/2 (Higham 2008, "Functions of Matrices",
// section 8.3). Directions in which `matrix` is zero stay unresolved.
Matrix nearest_orthogonal(const Matrix& matrix, unsigned threads);

// Spearman's rank correlation; ties share their mean rank. 0 for constants.
double rank_correlation(std::span<const double> a, std::span<const double> b);

double median(std::vector<double> values);  // of an even number the upper one; 0 when empty

// At most `count` of 0 … size-1, evenly spread, both ends among them.
std::vector<std::size_t> spread_places(std::size_t size, std::size_t count);

}  // namespace pedigree
