// A cursor over bytes nobody has vouched for.
//
// Every read is checked against what is left, and every length is checked
// before anything is allocated for it. A read that cannot be honoured throws
// Malformed with the offset at which it was asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/problem.h"

namespace pedigree {

class ByteReader {
 public:
  // `code` is the problem thrown when bytes run out; `origin` is where `bytes`
  // begins in the file, so that offsets in messages can be found in a hex dump.
  ByteReader(std::span<const std::byte> bytes, std::string_view code, std::uint64_t origin = 0)
      : bytes_(bytes), code_(code), origin_(origin) {}

  std::uint8_t u8();
  std::uint16_t u16();  // little-endian
  std::uint32_t u32();  // little-endian
  std::uint64_t u64();  // little-endian

  // A u64 that will drive a loop or an allocation. Throws when over `limit`.
  std::uint64_t count(std::uint64_t limit, std::string_view what);

  // The next `size` bytes, still owned by whoever owns the input.
  std::span<const std::byte> bytes(std::uint64_t size, std::string_view what);

  std::uint64_t offset() const { return origin_ + position_; }
  std::uint64_t remaining() const { return bytes_.size() - position_; }

 private:
  std::span<const std::byte> bytes_;
  std::string_view code_;
  std::uint64_t origin_;
  std::size_t position_ = 0;
};

}  // namespace pedigree
