#include "model/token_bytes.h"

#include <array>
#include <cstdint>
#include <optional>

namespace pedigree {
namespace {

constexpr std::string_view space_mark = "\xE2\x96\x81";  // U+2581

// GPT-2's alphabet: a byte that prints stands for itself (as Latin-1), the
// others take the characters from U+0100 on, in order.
constexpr bool prints(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<int, 0x144> byte_of_character() {
  std::array<int, 0x144> table = {};
  table.fill(-1);
  std::size_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    table[prints(byte) ? byte : next++] = static_cast<int>(byte);
  }
  return table;
}

constexpr auto alphabet = byte_of_character();

// The character that begins at `at`, for the two-byte range the alphabet needs.
struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 1;
};

Character character_at(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) return {.code = first, .bytes = 1};
  if ((first & 0xE0U) != 0xC0U || at + 1 >= text.size()) return {.code = UINT32_MAX, .bytes = 1};
  const auto second = static_cast<unsigned char>(text[at + 1]);
  return {.code = (first & 0x1FU) << 6U | (second & 0x3FU), .bytes = 2};
}

std::string from_byte_level(std::string_view token) {
  std::string bytes;
  for (std::size_t at = 0; at < token.size();) {
    const Character character = character_at(token, at);
    const int byte = character.code < alphabet.size() ? alphabet[character.code] : -1;
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else {
      bytes += token.substr(at, character.bytes);
    }
    at += character.bytes;
  }
  return bytes;
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::string from_metaspace(std::string_view token) {
  if (token.size() == 6 && token.starts_with("<0x") && token.ends_with('>')) {
    const auto high = hex_digit(token[3]);
    const auto low = hex_digit(token[4]);
    if (high && low) return std::string(1, static_cast<char>(*high * 16 + *low));
  }
  std::string bytes;
  while (!token.empty()) {
    const bool is_space = token.starts_with(space_mark);
    bytes += is_space ? ' ' : token.front();
    token.remove_prefix(is_space ? space_mark.size() : 1);
  }
  return bytes;
}

}  // namespace

std::string token_bytes(std::string_view token, std::string_view spelling) {
  if (spelling == "byte-level") return from_byte_level(token);
  if (spelling == "metaspace") return from_metaspace(token);
  return std::string(token);
}

}  // namespace pedigree
