// Little-endian numbers of fixed width, read eight at a time so that compilers
// turn the loop around them into vector code.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/problem.h"

namespace pedigree::types {

static_assert(std::endian::native == std::endian::little,
              "tensors are little-endian; a big-endian host needs a byte swap in decode_stored");

// out[i] = convert(the i-th Stored in `bytes`).
template <class Stored, class Convert>
void decode_stored(std::span<const std::byte> bytes, std::span<float> out, Convert convert) {
  check(bytes.size() / sizeof(Stored) >= out.size(), "too few bytes to decode");
  constexpr std::size_t block = 8;
  std::array<Stored, block> stored = {};
  const std::size_t whole = out.size() / block * block;
  for (std::size_t i = 0; i < whole; i += block) {
    std::memcpy(stored.data(), bytes.data() + i * sizeof(Stored), sizeof(stored));
    float* const to = out.data() + i;
    for (std::size_t j = 0; j < block; ++j) to[j] = convert(stored[j]);
  }
  for (std::size_t i = whole; i < out.size(); ++i) {
    Stored one = {};
    std::memcpy(&one, bytes.data() + i * sizeof(Stored), sizeof(one));
    out[i] = convert(one);
  }
}

}  // namespace pedigree::types
