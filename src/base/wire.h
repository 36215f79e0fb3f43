// A cursor over protobuf messages nobody has vouched for, in a file of any size.
//
// Bytes come through a small window, so that passing over gigabytes of a field costs
// nothing, and every field keeps its place in the file. Only the wire format is known
// here: numbers of fields and what they mean are the caller's. Whatever cannot be read
// throws Malformed with the offset it was asked for at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/source.h"

namespace pedigree {

// The file behind the cursors of one reading, and the bytes of it at hand.
class WireFile {
 public:
  // `code` is the problem thrown for bytes that are no message. Does not own the source.
  WireFile(const Source& source, std::string_view code) : source_(source), code_(code) {}

  std::uint64_t size() const { return source_.size(); }
  std::string_view code() const { return code_; }

  std::uint8_t byte(std::uint64_t offset);
  void read(std::uint64_t offset, std::span<std::byte> out);

 private:
  void fetch(std::uint64_t offset);

  const Source& source_;
  std::string_view code_;
  std::vector<std::byte> window_;
  std::uint64_t window_begin_ = 0;
  std::uint64_t next_fetch_ = 0;  // bytes: little after a jump, more when reading on
};

// One field of a message: a number, or bytes at a place.
struct WireField {
  enum class Kind { number, bytes };
  std::uint64_t number = 0;  // of the field; never 0
  Kind kind = Kind::number;
  unsigned width = 0;       // bytes of a number of fixed width; 0 for a varint
  std::uint64_t value = 0;  // of a number
  std::uint64_t at = 0;     // of the tag
  std::uint64_t begin = 0;  // of the bytes
  std::uint64_t end = 0;    // exclusive

  std::uint64_t size() const { return end - begin; }
  bool is(std::uint64_t wanted, Kind as) const { return number == wanted && kind == as; }
};

class WireReader {
 public:
  explicit WireReader(WireFile& file) : file_(&file), end_(file.size()) {}
  WireReader(WireFile& file, std::uint64_t begin, std::uint64_t end);

  // The next field of this message; none at its end.
  std::optional<WireField> next();

  // The message in a field of this one. At most 64 deep.
  WireReader inside(const WireField& field) const;

  // The next base-128 number, for lists of them within a field.
  std::uint64_t varint();

  // The bytes of a field as text, when there are at most `limit` (limit-exceeded).
  std::string text(const WireField& field, std::uint64_t limit, std::string_view what) const;

  std::uint64_t offset() const { return position_; }
  bool at_end() const { return position_ == end_; }

 private:
  std::uint64_t fixed(unsigned width);

  WireFile* file_;
  std::uint64_t position_ = 0;
  std::uint64_t end_ = 0;
  unsigned depth_ = 0;
};

}  // namespace pedigree
