// Sums that give the same bits on every machine: widened to double, eight fixed
// lanes, one fold order. The product of two floats is exact in a double, so a
// compiler that fuses multiply and add cannot round differently.
#pragma once

#include <span>

namespace pedigree {

double sum(std::span<const float> values);
double sum_of_squares(std::span<const float> values);
double dot(std::span<const float> a, std::span<const float> b);  // equal sizes

// The defining form, one element at a time: the oracle of the tests.
double dot_oracle(std::span<const float> a, std::span<const float> b);

}  // namespace pedigree
