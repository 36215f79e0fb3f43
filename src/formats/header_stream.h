// A cursor over the head of a file nobody has vouched for, fetched in bounded steps.
//
// Headers with a vocabulary in them run to tens of megabytes and do not say how
// long they are, so they are read through a small window as they are parsed. Every
// read is checked against what the file has left and against a cap on the header;
// one that cannot be honoured throws Malformed with the offset it was asked for at.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/source.h"

namespace pedigree {

class HeaderStream {
 public:
  // `code` is the problem thrown when bytes run out. The source is not owned.
  HeaderStream(const Source& source, std::uint64_t most_bytes, std::string_view code)
      : source_(source), most_bytes_(most_bytes), code_(code) {}

  void set_order(std::endian order) { order_ = order; }

  // The next number, in the order of the file.
  template <class Number>
  Number number(std::string_view what) {
    std::array<std::byte, sizeof(Number)> bytes = {};
    read(bytes, what);
    if (order_ != std::endian::native) std::ranges::reverse(bytes);
    return std::bit_cast<Number>(bytes);
  }

  // The next `size` bytes. Nothing is allocated before they are known to be there.
  std::string text(std::uint64_t size, std::string_view what);

  // Passes over bytes without reading them.
  void skip(std::uint64_t size, std::string_view what);

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return source_.size() - offset_; }  // of the file

 private:
  void read(std::span<std::byte> out, std::string_view what);
  void require(std::uint64_t size, std::string_view what) const;
  void fetch();

  const Source& source_;
  std::uint64_t most_bytes_;
  std::string_view code_;
  std::endian order_ = std::endian::little;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> window_;
  std::uint64_t window_begin_ = 0;
};

}  // namespace pedigree
