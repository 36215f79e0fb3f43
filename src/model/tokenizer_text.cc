#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";

// Calls `line(text, offset)` for every line, without its ending; a last line
// that is empty is none.
template <class Each>
void for_each_line(std::string_view text, const Each& each) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    each(line, at);
    at = end + 1;
  }
}

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

std::string spelled(std::string_view bytes) {
  static const std::array<std::string, 256> alphabet = byte_alphabet();
  std::string text;
  for (const char byte : bytes) text += alphabet[static_cast<unsigned char>(byte)];
  return text;
}

template <class Read>
Result<Tokenizer> guarded(NamedText source, const Read& read) {
  try {
    return read();
  } catch (Malformed& stop) {
    stop.problem.file = std::string(source.file);
    if (stop.problem.offset) stop.problem.line = line_of(source.text, *stop.problem.offset);
    return std::unexpected(std::move(stop.problem));
  }
}

}  // namespace

Result<Tokenizer> read_vocab_txt(NamedText vocab) {
  return guarded(vocab, [&] {
    Vocabulary vocabulary;
    for_each_line(vocab.text, [&](std::string_view line, std::size_t offset) {
      if (line.size() > 4096) malformed(code, "a line is too long for a token", offset);
      vocabulary.append(std::string(line));
    });
    return vocabulary.finish("WordPiece", vocab.file);
  });
}

Result<Tokenizer> read_tiktoken(NamedText ranks) {
  return guarded(ranks, [&] {
    Vocabulary vocabulary;
    for_each_line(ranks.text, [&](std::string_view line, std::size_t offset) {
      if (line.empty()) return;
      const std::size_t space = line.find(' ');
      if (space == line.npos || space == 0) malformed(code, "a line is not token and rank", offset);
      const auto rank = whole_number<std::uint64_t>(line.substr(space + 1));
      if (!rank) malformed(code, "a rank is not a whole number", offset);
      vocabulary.add(spelled(base64_decoded(line.substr(0, space), offset)), *rank, offset);
    });
    return vocabulary.finish("BPE", ranks.file);
  });
}

}  // namespace pedigree
