#include "model/tokenizer_spelling.h"

#include <array>

#include "base/problem.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";

int base64_digit(char letter) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::size_t at = alphabet.find(letter);
  return at == alphabet.npos ? -1 : static_cast<int>(at);
}

std::string base64_decoded(std::string_view text, std::uint64_t offset) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) malformed(code, "a token is not base64", offset);
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char letter : text) {
    const int digit = base64_digit(letter);
    if (digit < 0) malformed(code, "a token is not base64", offset);
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>((bits >> held) & 0xFFU);
  }
  return bytes;
}

// GPT-2's alphabet: printable Latin-1 bytes stand for themselves, the others for
// U+0100 upward in order.
std::array<std::string, 256> byte_alphabet() {
  std::array<std::string, 256> alphabet;
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    const unsigned point = itself ? byte : next++;
    std::string& spelled = alphabet[byte];
    if (point < 0x80) {
      spelled += static_cast<char>(point);
    } else {
      spelled += static_cast<char>(0xC0U | (point >> 6U));
      spelled += static_cast<char>(0x80U | (point & 0x3FU));
    }
  }
  return alphabet;
}

}  // namespace

std::string spelled_token(std::string_view base64, std::uint64_t offset) {
  static const std::array<std::string, 256> alphabet = byte_alphabet();
  std::string text;
  for (const char byte : base64_decoded(base64, offset)) {
    text += alphabet[static_cast<unsigned char>(byte)];
  }
  return text;
}

}  // namespace pedigree
