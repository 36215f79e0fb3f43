#include "formats/source_text.h"

#include <fmt/format.h>

#include <utility>

namespace pedigree {

std::string read_text(const Source& source, Extent extent) {
  if (extent.end < extent.begin || extent.end > source.size()) {
    malformed("io-short-read", "bytes beyond the end of the file were asked for", extent.begin);
  }
  std::string text(static_cast<std::size_t>(extent.size()), '\0');
  if (auto problem = source.read_at(extent.begin, std::as_writable_bytes(std::span(text)))) {
    throw Malformed{std::move(*problem)};
  }
  return text;
}

std::string quoted(std::string_view name) {
  constexpr std::size_t longest = 120;
  if (name.size() <= longest) return fmt::format("\"{}\"", name);
  std::size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0U) == 0x80U) --end;
  return fmt::format("\"{}…\"", name.substr(0, end));
}

}  // namespace pedigree
