#include "base/byte_reader.h"

#include <fmt/format.h>

namespace pedigree {
namespace {

template <class T>
T little_endian(std::span<const std::byte> bytes) {
  T value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = static_cast<T>(value << 8U) | static_cast<T>(bytes[i]);
  }
  return value;
}

}  // namespace

std::uint8_t ByteReader::u8() { return std::to_integer<std::uint8_t>(bytes(1, "a byte")[0]); }
std::uint16_t ByteReader::u16() { return little_endian<std::uint16_t>(bytes(2, "a u16")); }
std::uint32_t ByteReader::u32() { return little_endian<std::uint32_t>(bytes(4, "a u32")); }
std::uint64_t ByteReader::u64() { return little_endian<std::uint64_t>(bytes(8, "a u64")); }

std::uint64_t ByteReader::count(std::uint64_t limit, std::string_view what) {
  const std::uint64_t at = offset();
  const std::uint64_t value = u64();
  if (value > limit)
    malformed(code_, fmt::format("{} is {}, over the limit of {}", what, value, limit), at);
  return value;
}

std::span<const std::byte> ByteReader::bytes(std::uint64_t size, std::string_view what) {
  if (size > remaining()) {
    malformed(code_, fmt::format("{} needs {} bytes and {} are left", what, size, remaining()),
              offset());
  }
  const auto result = bytes_.subspan(position_, static_cast<std::size_t>(size));
  position_ += static_cast<std::size_t>(size);
  return result;
}

}  // namespace pedigree
