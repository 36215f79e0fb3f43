#include "base/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pedigree {
namespace {

constexpr std::uint64_t least_fetch = 512;
constexpr std::uint64_t most_fetch = std::uint64_t{64} << 10U;
constexpr unsigned deepest = 64;
constexpr std::uint64_t largest_field_number = (std::uint64_t{1} << 29U) - 1;

}  // namespace

std::uint8_t WireFile::byte(std::uint64_t offset) {
  if (offset < window_begin_ || offset - window_begin_ >= window_.size()) fetch(offset);
  return std::to_integer<std::uint8_t>(window_[static_cast<std::size_t>(offset - window_begin_)]);
}

void WireFile::read(std::uint64_t offset, std::span<std::byte> out) {
  if (auto problem = source_.read_at(offset, out)) throw Malformed{std::move(*problem)};
}

void WireFile::fetch(std::uint64_t offset) {
  const std::uint64_t end = window_begin_ + window_.size();
  const bool goes_on = offset >= end && offset - end <= window_.size();
  next_fetch_ =
      goes_on ? std::min(most_fetch, 2 * std::max(next_fetch_, least_fetch / 2)) : least_fetch;
  window_.resize(static_cast<std::size_t>(std::min(next_fetch_, source_.size() - offset)));
  window_begin_ = offset;
  read(offset, window_);
}

WireReader::WireReader(WireFile& file, std::uint64_t begin, std::uint64_t end)
    : file_(&file), position_(begin), end_(end) {
  check(begin <= end && end <= file.size(), "a message beyond its file");
}

std::uint64_t WireReader::varint() {
  const std::uint64_t at = position_;
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (position_ == end_) malformed(file_->code(), "a number runs beyond its message", at);
    const std::uint8_t byte = file_->byte(position_++);
    if (shift == 63 && byte > 1) malformed(file_->code(), "a number is beyond 64 bits", at);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  malformed(file_->code(), "a number is longer than ten bytes", at);
}

std::uint64_t WireReader::fixed(unsigned width) {
  if (width > end_ - position_) {
    malformed(file_->code(), "a number runs beyond its message", position_);
  }
  std::uint64_t value = 0;
  for (unsigned i = 0; i < width; ++i) {
    value |= std::uint64_t{file_->byte(position_++)} << (8 * i);
  }
  return value;
}

std::optional<WireField> WireReader::next() {
  if (at_end()) return std::nullopt;
  WireField field = {.at = position_};
  const std::uint64_t tag = varint();
  field.number = tag >> 3U;
  if (field.number == 0 || field.number > largest_field_number) {
    malformed(file_->code(), fmt::format("{} is no number of a field", field.number), field.at);
  }
  switch (tag & 7U) {
    case 0:
      field.value = varint();
      return field;
    case 1:
      field.width = 8;
      field.value = fixed(field.width);
      return field;
    case 5:
      field.width = 4;
      field.value = fixed(field.width);
      return field;
    case 2:
      break;
    default:
      malformed(file_->code(), fmt::format("the wire type {} is not read", tag & 7U), field.at);
  }
  const std::uint64_t size = varint();
  if (size > end_ - position_) {
    malformed(file_->code(),
              fmt::format("field {} asks for {} bytes and its message has {} left", field.number,
                          size, end_ - position_),
              field.at);
  }
  field.kind = WireField::Kind::bytes;
  field.begin = position_;
  field.end = position_ += size;
  return field;
}

WireReader WireReader::inside(const WireField& field) const {
  check(field.kind == WireField::Kind::bytes, "a message in a number");
  if (depth_ == deepest) {
    malformed(file_->code(), fmt::format("messages lie over {} deep in each other", deepest),
              field.at);
  }
  WireReader inner(*file_, field.begin, field.end);
  inner.depth_ = depth_ + 1;
  return inner;
}

std::string WireReader::text(const WireField& field, std::uint64_t limit,
                             std::string_view what) const {
  check(field.kind == WireField::Kind::bytes, "text in a number");
  if (field.size() > limit) {
    malformed("limit-exceeded",
              fmt::format("{} has {} bytes; {} are read", what, field.size(), limit), field.at);
  }
  std::string text(static_cast<std::size_t>(field.size()), '\0');
  for (std::size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(file_->byte(field.begin + i));
  }
  return text;
}

}  // namespace pedigree
