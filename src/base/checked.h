// Arithmetic on numbers that came from a file: overflow is malformed, not wrap.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/problem.h"

namespace pedigree {

// Throws Malformed with `code` when the sum or product does not fit 64 bits.
inline std::uint64_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view code) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) malformed(code, "a sum of sizes overflows 64 bits");
  return sum;
}

inline std::uint64_t checked_multiply(std::uint64_t a, std::uint64_t b, std::string_view code) {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) {
    malformed(code, "a product of sizes overflows 64 bits");
  }
  return product;
}

}  // namespace pedigree
