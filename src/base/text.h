// Text from strangers, made safe to show; and the nearest known word.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pedigree {

bool is_valid_utf8(std::string_view bytes);

// Valid UTF-8 in any case: invalid bytes become %XX.
std::string percent_escaped(std::string_view bytes);

// For a terminal or a log: control characters, escapes, bidirectional overrides
// and line separators become \n, \x1b, \u{202e}; everything else stays.
std::string shown(std::string_view text);

// Columns a terminal uses for valid UTF-8.
std::size_t display_width(std::string_view text);

// The known word nearest to `word` by edit distance, or "" when none is near.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known);

// The whole of `text` as a Number; none when any of it is something else (a sign
// in front of an unsigned one, a space) or beyond the type's range.
template <class Number>
std::optional<Number> whole_number(std::string_view text, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A to Z in small letters; every other byte as it is.
std::string ascii_lowered(std::string_view text);

// "13.5 GB", "64.0 MB", "512 bytes".
std::string byte_size(std::uint64_t bytes);

// `number` in the largest of `units` it reaches, the k-th of which (from 0) is
// 1000^(k+1): three significant digits, more behind the last unit.
std::string in_thousands(std::uint64_t number, std::span<const std::string_view> units);

}  // namespace pedigree
