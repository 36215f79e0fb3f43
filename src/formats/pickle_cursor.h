// Reads a pickle from a file in windows, so that what it holds as bytes need not
// be read at all.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/source.h"
#include "tensor/tensor.h"

namespace pedigree {

class PickleCursor {
 public:
  static constexpr std::uint64_t window = std::uint64_t{64} << 10U;

  PickleCursor(const Source& source, Extent extent);

  std::uint8_t u8() { return static_cast<std::uint8_t>(little_endian(1)); }
  std::uint64_t little_endian(std::size_t bytes);  // at most 8

  // The next `size` bytes, at most a window; good until the next call. Throws
  // Malformed (pickle-malformed) when they are not there.
  std::string_view take(std::uint64_t size);

  // Up to the next line feed, which is passed over.
  std::string_view line();

  void skip(std::uint64_t size);

  std::uint64_t offset() const { return window_begin_ + position_; }  // in the file
  std::uint64_t remaining() const { return extent_.end - offset(); }

 private:
  void fill(std::uint64_t size);

  const Source& source_;
  Extent extent_;
  std::vector<char> buffer_;
  std::uint64_t window_begin_;
  std::size_t position_ = 0;
};

}  // namespace pedigree
