// How coarse the stored numbers are.
#pragma once

namespace pedigree {

// The spacing of floating numbers at `value`: of `precision` bits, the leading
// one included, and never below 2^smallest_exponent. 0 for zero, and where
// rounding does not apply (precision 0).
double unit_in_last_place(double value, int precision, int smallest_exponent);

}  // namespace pedigree
