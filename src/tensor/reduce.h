// Sums that give the same bits on every machine: widened to double, eight fixed
// lanes, one fold order. The product of two floats is exact in a double, so a
// compiler that fuses multiply and add cannot round differently; products of
// doubles are rounded before they are added. kernels/ has the loops.
#pragma once

#include <span>

namespace pedigree {

bool all_finite(std::span<const float> values);

double sum(std::span<const float> values);
double sum_of_squares(std::span<const float> values);
double dot(std::span<const float> a, std::span<const float> b);  // equal sizes
double dot(std::span<const double> a, std::span<const double> b);

// out[k] = a · row k of `rows`, which holds out.size() rows of a.size() values. Where
// the processor can, several rows share one pass: prefer it to single dots.
void dots(std::span<const float> a, std::span<const float> rows, std::span<double> out);
void dots(std::span<const double> a, std::span<const double> rows, std::span<double> out);

// The defining form, one element at a time: the oracle of the tests.
double dot_oracle(std::span<const float> a, std::span<const float> b);

}  // namespace pedigree
