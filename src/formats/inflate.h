// Raw deflate streams, unpacked into bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/source.h"
#include "tensor/tensor.h"

namespace pedigree {

// One stream, unpacked from its start on. Neither argument is copied: the source
// must live as long. Not safe for concurrent use. Problems: zip-malformed where
// the stream is damaged or ends early, and the source's own.
class InflateStream {
 public:
  InflateStream(const Source& source, Extent packed);
  ~InflateStream();
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;

  // The next out.size() unpacked bytes.
  std::optional<Problem> read(std::span<std::byte> out);

  // Does nothing follow the bytes read so far?
  bool at_end();

  std::uint64_t position() const { return position_; }  // unpacked bytes handed out

 private:
  struct State;
  std::optional<Problem> refill();

  const Source& source_;
  Extent packed_;
  std::unique_ptr<State> state_;
  std::uint64_t position_ = 0;
};

std::uint32_t crc32_of(std::span<const std::byte> bytes);

}  // namespace pedigree
