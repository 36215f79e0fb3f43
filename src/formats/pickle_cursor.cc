#include "formats/pickle_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace pedigree {

PickleCursor::PickleCursor(const Source& source, Extent extent)
    : source_(source), extent_(extent), window_begin_(extent.begin) {
  check(extent.begin <= extent.end && extent.end <= source.size(), "a pickle beyond its file");
}

// Makes `size` bytes, or all there are, stand in the buffer at the position.
void PickleCursor::fill(std::uint64_t size) {
  if (buffer_.size() - position_ >= size) return;
  const std::uint64_t at = offset();
  buffer_.resize(static_cast<std::size_t>(std::min(window, extent_.end - at)));
  window_begin_ = at;
  position_ = 0;
  if (auto problem = source_.read_at(at, std::as_writable_bytes(std::span(buffer_)))) {
    throw Malformed{std::move(*problem)};
  }
}

std::uint64_t PickleCursor::little_endian(std::size_t bytes) {
  const std::string_view text = take(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    value = value << 8U | static_cast<unsigned char>(text[i]);
  }
  return value;
}

std::string_view PickleCursor::take(std::uint64_t size) {
  check(size <= window, "more than a window at once");
  if (size > remaining()) {
    malformed("pickle-malformed",
              fmt::format("the pickle wants {} bytes and {} are left", size, remaining()),
              offset());
  }
  fill(size);
  const std::string_view text(buffer_.data() + position_, static_cast<std::size_t>(size));
  position_ += static_cast<std::size_t>(size);
  return text;
}

std::string_view PickleCursor::line() {
  fill(std::min<std::uint64_t>(window, remaining()));
  const std::string_view rest(buffer_.data() + position_, buffer_.size() - position_);
  const std::size_t end = rest.find('\n');
  if (end == rest.npos) malformed("pickle-malformed", "a line of the pickle has no end", offset());
  position_ += end + 1;
  return rest.substr(0, end);
}

void PickleCursor::skip(std::uint64_t size) {
  if (size > remaining()) {
    malformed("pickle-malformed",
              fmt::format("the pickle wants {} bytes and {} are left", size, remaining()),
              offset());
  }
  if (buffer_.size() - position_ >= size) {
    position_ += static_cast<std::size_t>(size);
    return;
  }
  window_begin_ = offset() + size;
  position_ = 0;
  buffer_.clear();
}

}  // namespace pedigree
