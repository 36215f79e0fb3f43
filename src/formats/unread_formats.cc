#include <algorithm>
#include <initializer_list>

#include "base/byte_reader.h"
#include "formats/known_formats.h"

namespace pedigree {
namespace {

bool holds(std::span<const std::byte> head, std::size_t at, std::string_view text) {
  if (head.size() < at + text.size()) return false;
  const auto expected = std::as_bytes(std::span(text));
  return std::ranges::equal(head.subspan(at, text.size()), expected);
}

bool starts_with(std::span<const std::byte> head, std::string_view magic) {
  return holds(head, 0, magic);
}

unsigned byte_at(std::span<const std::byte> head, std::size_t at) {
  return at < head.size() ? std::to_integer<unsigned>(head[at]) : 0;
}

// Little-endian words spelled "ggml", "ggmf", "ggjt" and "ggla".
bool is_old_ggml(std::span<const std::byte> head, std::uint64_t) {
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"lmgg", "fmgg", "tjgg", "algg"},
      [&](std::string_view magic) { return starts_with(head, magic); });
}

bool is_hdf5(std::span<const std::byte> head, std::uint64_t) {
  return starts_with(head, "\x89HDF\r\n\x1a\n");
}

bool is_tflite(std::span<const std::byte> head, std::uint64_t) { return holds(head, 4, "TFL3"); }

// Never unpacked: a wrapper under a weight file's name is how scanners are
// evaded. gzip and bzip2 have short magics, so more of their header is asked.
bool is_compressed(std::span<const std::byte> head, std::uint64_t) {
  using namespace std::string_view_literals;
  const unsigned speed = byte_at(head, 8);
  const bool gzip = starts_with(head, "\x1f\x8b\x08") && (speed == 0 || speed == 2 || speed == 4);
  const bool bzip2 = starts_with(head, "BZh") && holds(head, 4, "1AY&SY");
  return gzip || bzip2 || starts_with(head, "7z\xBC\xAF\x27\x1C") ||
         starts_with(head, "\xFD\x37zXZ\0"sv) || starts_with(head, "\x28\xB5\x2F\xFD");
}

}  // namespace

constinit const Format old_ggml_format = {
    .id = "ggml", .title = "GGML (before GGUF)", .recognises = is_old_ggml};
constinit const Format hdf5_format = {.id = "hdf5", .title = "HDF5", .recognises = is_hdf5};
constinit const Format tflite_format = {
    .id = "tflite", .title = "TensorFlow Lite", .recognises = is_tflite};
constinit const Format compressed_format = {
    .id = "compressed", .title = "compressed archive", .recognises = is_compressed};

}  // namespace pedigree
