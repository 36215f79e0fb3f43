#include "base/text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

namespace pedigree {
namespace {

struct Decoded {
  utf8proc_int32_t point = -1;  // -1: invalid
  std::size_t size = 1;
};

Decoded next_point(std::string_view text) {
  utf8proc_int32_t point = -1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const auto size = utf8proc_iterate(
      bytes, static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size(), 4)), &point);
  if (size <= 0) return {};
  return {.point = point, .size = static_cast<std::size_t>(size)};
}

bool must_be_escaped(utf8proc_int32_t point) {
  if (point < 0x20 || (point >= 0x7F && point < 0xA0)) return true;
  const auto category = utf8proc_category(point);
  return category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP || category == UTF8PROC_CATEGORY_CS ||
         category == UTF8PROC_CATEGORY_CO;
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Decoded next = next_point(bytes);
    if (next.point < 0) return false;
    bytes.remove_prefix(next.size);
  }
  return true;
}

std::string percent_escaped(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const Decoded next = next_point(bytes);
    if (next.point < 0) {
      text += fmt::format("%{:02X}", static_cast<unsigned char>(bytes.front()));
    } else {
      text += bytes.substr(0, next.size);
    }
    bytes.remove_prefix(next.size);
  }
  return text;
}

std::string shown(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const Decoded next = next_point(text);
    if (next.point < 0) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else if (next.point == '\n') {
      safe += "\\n";
    } else if (next.point == '\t') {
      safe += "\\t";
    } else if (next.point < 0x80 && must_be_escaped(next.point)) {
      safe += fmt::format("\\x{:02x}", next.point);
    } else if (must_be_escaped(next.point)) {
      safe += fmt::format("\\u{{{:x}}}", next.point);
    } else {
      safe += text.substr(0, next.size);
    }
    text.remove_prefix(next.size);
  }
  return safe;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Decoded next = next_point(text);
    width +=
        next.point < 0 ? 1 : static_cast<std::size_t>(std::max(0, utf8proc_charwidth(next.point)));
    text.remove_prefix(next.size);
  }
  return width;
}

std::string_view nearest_word(std::string_view word, std::span<const std::string_view> known) {
  std::string_view best;
  // Two of five letters may differ: a swapped pair counts as two.
  std::size_t best_distance = std::max<std::size_t>(1, word.size() * 2 / 5) + 1;
  for (const std::string_view candidate : known) {
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j < row.size(); ++j) {
        const std::size_t changed = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string byte_size(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> units = {"kB", "MB", "GB", "TB", "PB"};
  return bytes < 1000 ? fmt::format("{} bytes", bytes) : in_thousands(bytes, units);
}

std::string in_thousands(std::uint64_t number, std::span<const std::string_view> units) {
  double value = static_cast<double>(number) / 1000;
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, units[unit]);
}

std::string ascii_lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace pedigree
