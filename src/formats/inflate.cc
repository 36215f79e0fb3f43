#include "formats/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <vector>

namespace pedigree {

struct InflateStream::State {
  z_stream stream = {};
  std::vector<std::byte> input;
  std::uint64_t next = 0;  // offset in the file of the next packed byte
  bool ended = false;
};

InflateStream::InflateStream(const Source& source, Extent packed)
    : source_(source), packed_(packed), state_(std::make_unique<State>()) {
  state_->next = packed.begin;
  state_->input.resize(std::min<std::uint64_t>(packed.size(), std::uint64_t{64} << 10U));
  check(inflateInit2(&state_->stream, -MAX_WBITS) == Z_OK, "zlib did not start");
}

InflateStream::~InflateStream() { inflateEnd(&state_->stream); }

std::optional<Problem> InflateStream::refill() {
  z_stream& stream = state_->stream;
  if (stream.avail_in > 0 || state_->next == packed_.end) return std::nullopt;
  const auto size = std::min<std::uint64_t>(state_->input.size(), packed_.end - state_->next);
  const auto part = std::span(state_->input).first(static_cast<std::size_t>(size));
  if (auto problem = source_.read_at(state_->next, part)) return problem;
  state_->next += size;
  stream.next_in = reinterpret_cast<Bytef*>(part.data());
  stream.avail_in = static_cast<uInt>(size);
  return std::nullopt;
}

std::optional<Problem> InflateStream::read(std::span<std::byte> out) {
  z_stream& stream = state_->stream;
  while (!out.empty()) {
    if (auto problem = refill()) return problem;
    const std::size_t room = std::min<std::size_t>(out.size(), 1U << 30U);
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(room);
    const int result = state_->ended ? Z_BUF_ERROR : inflate(&stream, Z_NO_FLUSH);
    const std::size_t got = room - stream.avail_out;
    position_ += got;
    out = out.subspan(got);
    if (result == Z_STREAM_END) state_->ended = true;
    const bool stuck = got == 0 && (state_->ended || stream.avail_in == 0) &&
                       (state_->ended || state_->next == packed_.end);
    if ((result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) ||
        (stuck && !out.empty())) {
      return make_problem("zip-malformed", source_.name(),
                          "a deflate stream is damaged or ends early", packed_.begin);
    }
  }
  return std::nullopt;
}

bool InflateStream::at_end() {
  std::array<std::byte, 1> one = {};
  return read(one).has_value();
}

std::uint32_t crc32_of(std::span<const std::byte> bytes) {
  uLong crc = crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min<std::size_t>(bytes.size(), 1U << 30U));
    crc = crc32(crc, reinterpret_cast<const Bytef*>(part.data()), static_cast<uInt>(part.size()));
    bytes = bytes.subspan(part.size());
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace pedigree
