#include "formats/zip_end.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "zip-malformed";
constexpr std::uint64_t end_bytes = 22;
constexpr std::uint64_t locator_bytes = 20;
constexpr std::uint64_t end64_bytes = 56;
constexpr std::uint64_t longest_comment = 65535;
constexpr std::string_view end_magic = "PK\x05\x06";
constexpr std::string_view locator_magic = "PK\x06\x07";
constexpr std::string_view end64_magic = "PK\x06\x06";

// Where the end record begins: its comment must reach the end of the file exactly.
std::uint64_t end_offset(const Source& source) {
  const std::uint64_t size = source.size();
  if (size < end_bytes) malformed(code, "the file is too short for a zip archive", 0);
  const std::uint64_t begin = size - std::min(size, end_bytes + longest_comment);
  for (const std::uint64_t from : {size - end_bytes, begin}) {
    const std::string tail = read_text(source, {.begin = from, .end = size});
    for (std::size_t at = tail.size() - end_bytes + 1; at-- > 0;) {
      if (!std::string_view(tail).substr(at).starts_with(end_magic)) continue;
      const std::size_t low = static_cast<unsigned char>(tail[at + 20]);
      const std::size_t high = static_cast<unsigned char>(tail[at + 21]);
      if (at + end_bytes + low + 256 * high == tail.size()) return from + at;
    }
  }
  malformed(code, "no end record closes the archive: the file is truncated, or bytes follow it",
            size);
}

struct Counts {
  std::uint64_t disk = 0;
  std::uint64_t members = 0;
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
};

// A field of the short record holds the value, or only ones where it stands in the long one.
void hold_alike(std::uint64_t brief, std::uint64_t full, std::uint64_t ones, std::uint64_t at) {
  if (brief == full || brief == ones) return;
  malformed("zip-differential",
            fmt::format("the end records disagree: one says {}, the other {}", brief, full), at);
}

std::optional<std::uint64_t> end64_offset(const Source& source, std::uint64_t end) {
  if (end < locator_bytes) return std::nullopt;
  const std::string text = read_text(source, {.begin = end - locator_bytes, .end = end});
  if (!text.starts_with(locator_magic)) return std::nullopt;
  ByteReader reader(std::as_bytes(std::span(text)), code, end - locator_bytes);
  reader.bytes(8, "the locator");
  const std::uint64_t offset = reader.u64();
  if (offset > end - locator_bytes || end - locator_bytes - offset != end64_bytes) {
    malformed("zip-differential", "the 64-bit end record is not where its locator says",
              end - locator_bytes);
  }
  return offset;
}

Counts read_counts64(const Source& source, std::uint64_t at, const Counts& brief) {
  const std::string text = read_text(source, {.begin = at, .end = at + end64_bytes});
  if (!text.starts_with(end64_magic)) malformed(code, "the 64-bit end record has no magic", at);
  ByteReader reader(std::as_bytes(std::span(text)), code, at);
  reader.bytes(16, "the record's head");
  Counts full;
  full.disk = reader.u32();
  full.disk += reader.u32();
  const std::uint64_t on_this_disk = reader.u64();
  full.members = reader.u64();
  full.size = reader.u64();
  full.offset = reader.u64();
  hold_alike(on_this_disk, full.members, full.members, at);
  hold_alike(brief.members, full.members, 0xFFFFU, at);
  hold_alike(brief.size, full.size, 0xFFFFFFFFU, at);
  hold_alike(brief.offset, full.offset, 0xFFFFFFFFU, at);
  return full;
}

Counts read_counts(const Source& source, std::uint64_t at) {
  const std::string text = read_text(source, {.begin = at, .end = at + end_bytes});
  ByteReader reader(std::as_bytes(std::span(text)), code, at);
  reader.u32();
  Counts counts;
  counts.disk = reader.u16();
  counts.disk += reader.u16();
  const std::uint64_t on_this_disk = reader.u16();
  counts.members = reader.u16();
  counts.size = reader.u32();
  counts.offset = reader.u32();
  hold_alike(on_this_disk, counts.members, counts.members, at);
  return counts;
}

}  // namespace

ZipEnd read_zip_end(const Source& source) {
  const std::uint64_t end = end_offset(source);
  Counts counts = read_counts(source, end);
  std::uint64_t directory_end = end;
  if (const auto end64 = end64_offset(source, end)) {
    counts = read_counts64(source, *end64, counts);
    directory_end = *end64;
  }
  if (counts.disk != 0) malformed(code, "the archive is one part of several", end);
  if (checked_add(counts.offset, counts.size, code) != directory_end) {
    malformed("zip-differential",
              fmt::format("the directory of {} bytes at {} does not end where the end record "
                          "begins, at {}",
                          counts.size, counts.offset, directory_end),
              end);
  }
  return {.directory = {.begin = counts.offset, .end = directory_end}, .members = counts.members};
}

}  // namespace pedigree
