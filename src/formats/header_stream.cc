#include "formats/header_stream.h"

#include <fmt/format.h>

#include <utility>

#include "base/problem.h"
#include "base/text.h"

namespace pedigree {
namespace {

constexpr std::uint64_t window_bytes = std::uint64_t{64} << 10U;

}  // namespace

std::string HeaderStream::text(std::uint64_t size, std::string_view what) {
  require(size, what);
  std::string text(static_cast<std::size_t>(size), '\0');
  read(std::as_writable_bytes(std::span(text)), what);
  return text;
}

void HeaderStream::skip(std::uint64_t size, std::string_view what) {
  require(size, what);
  offset_ += size;
}

void HeaderStream::require(std::uint64_t size, std::string_view what) const {
  if (size > remaining()) {
    malformed(code_,
              fmt::format("{} needs {} bytes and the file has {} left", what, size, remaining()),
              offset_);
  }
  if (offset_ > most_bytes_ || size > most_bytes_ - offset_) {
    malformed(
        "limit-exceeded",
        fmt::format("the header runs beyond {}, where {} is read", byte_size(most_bytes_), what),
        offset_);
  }
}

void HeaderStream::read(std::span<std::byte> out, std::string_view what) {
  require(out.size(), what);
  while (!out.empty()) {
    if (offset_ < window_begin_ || offset_ >= window_begin_ + window_.size()) fetch();
    const std::span<const std::byte> held = std::span(window_).subspan(offset_ - window_begin_);
    const std::size_t size = std::min(held.size(), out.size());
    std::ranges::copy(held.first(size), out.begin());
    out = out.subspan(size);
    offset_ += size;
  }
}

void HeaderStream::fetch() {
  window_.resize(static_cast<std::size_t>(std::min(window_bytes, remaining())));
  window_begin_ = offset_;
  if (auto problem = source_.read_at(offset_, window_)) throw Malformed{std::move(*problem)};
}

}  // namespace pedigree
