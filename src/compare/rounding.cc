#include "compare/rounding.h"

#include <algorithm>
#include <cmath>

namespace pedigree {

double unit_in_last_place(double value, int precision, int smallest_exponent) {
  if (value == 0 || precision == 0) return 0;
  int exponent = 0;
  static_cast<void>(std::frexp(value, &exponent));
  return std::ldexp(1.0, std::max(exponent - precision, smallest_exponent));
}

}  // namespace pedigree
