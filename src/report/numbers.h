// The grid numbers are printed on, so that a report is the same text on every
// machine: log10 p to 0.1, other reals to six significant digits.
#pragma once

#include <cstdint>
#include <string>

namespace pedigree {

// The nearest number on the grid. A number that is not finite is a bug of ours.
double on_grid(double value);
double log10_on_grid(double value);

// For people: four significant digits; log10 p with one decimal.
std::string number_text(double value);
std::string log10_text(double value);

std::string percent_text(double share);        // "98 %", "99.7 %"
std::string count_text(std::uint64_t number);  // "6.06 billion", "105 thousand", "312"

}  // namespace pedigree
