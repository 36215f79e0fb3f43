// The typed key-value list at the head of a GGUF file.
#pragma once

#include <cstdint>

#include "formats/formats.h"
#include "formats/header_stream.h"

namespace pedigree {

// What differs between versions: counts and lengths have 32 bits in the first.
class GgufReader {
 public:
  GgufReader(HeaderStream& in, std::uint32_t version, const Limits& limits)
      : in_(in), version_(version), limits_(limits) {}

  // A count or a length.
  std::uint64_t count(std::string_view what);

  // A length and so many bytes; over `most` of them is a limit exceeded.
  std::string text(std::uint64_t most, std::string_view what);

  // One key and its value. Throws Malformed.
  HeaderField field();

  HeaderStream& stream() { return in_; }

 private:
  HeaderField::Value scalar(std::uint32_t type);
  HeaderField::Value list(unsigned depth);
  std::vector<std::string> texts(std::uint64_t count);
  std::vector<double> numbers(std::uint32_t type, std::uint64_t count);
  std::uint64_t least_bytes(std::uint32_t type) const;
  bool truth();
  void keep(std::uint64_t items);

  HeaderStream& in_;
  std::uint32_t version_;
  const Limits& limits_;
  std::uint64_t kept_ = 0;  // items of lists so far
};

}  // namespace pedigree
