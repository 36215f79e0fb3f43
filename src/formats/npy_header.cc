#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/byte_reader.h"
#include "base/text.h"
#include "formats/inflate.h"
#include "formats/npy.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "npy-header";
constexpr std::string_view magic = "\x93NUMPY";
constexpr std::uint64_t longest_header = std::uint64_t{1} << 20U;

std::string first_bytes(const Source& source, const NpyPlace& place, std::uint64_t size) {
  if (size > place.bytes) {
    malformed(code, fmt::format("the header needs {} bytes and {} are there", size, place.bytes),
              place.stored.begin);
  }
  if (!place.deflated) {
    return read_text(source, {.begin = place.stored.begin, .end = place.stored.begin + size});
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  InflateStream stream(source, place.stored);
  if (auto problem = stream.read(std::as_writable_bytes(std::span(text)))) {
    throw Malformed{std::move(*problem)};
  }
  return text;
}

// The dictionary as repr() writes it, and nothing else Python would take.
class DictionaryReader {
 public:
  DictionaryReader(std::string_view text, std::uint64_t origin, const Limits& limits)
      : text_(text), origin_(origin), limits_(limits) {}

  NpyHeader read() {
    expect('{');
    bool seen[3] = {};
    while (peek() != '}') {
      if (std::exchange(seen[read_entry()], true)) refuse("it has a key twice");
      if (peek() != ',') break;
      expect(',');
    }
    expect('}');
    if (!std::ranges::all_of(seen, std::identity())) refuse("it lacks a key");
    if (text_.find_first_not_of(" \n", at_) != text_.npos) refuse("text follows it");
    return std::move(header_);
  }

 private:
  // Which of the three keys it had.
  std::size_t read_entry() {
    const std::string key = quoted_text();
    expect(':');
    if (key == "descr") {
      read_descr();
      return 0;
    }
    if (key == "fortran_order") {
      header_.column_major = boolean();
      return 1;
    }
    if (key != "shape") refuse("it has a key the format does not know");
    read_shape();
    return 2;
  }

  [[noreturn]] void refuse(std::string_view why) const {
    malformed(code, fmt::format("the array's header is not what NumPy writes: {}", why),
              origin_ + at_);
  }

  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  void expect(char letter) {
    if (peek() != letter) refuse(fmt::format("a '{}' is missing", letter));
    ++at_;
  }

  std::string quoted_text() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') refuse("a text is not in quotes");
    const std::size_t end = text_.find(quote, ++at_);
    if (end == text_.npos) refuse("a text has no end");
    std::string text(text_.substr(at_, end - at_));
    if (text.find('\\') != text.npos) refuse("a text has escapes");
    at_ = end + 1;
    return text;
  }

  bool boolean() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    refuse("a value is neither True nor False");
  }

  // A list describes records, whose fields are not told apart here.
  void read_descr() {
    if (peek() != '[') {
      header_.descr = quoted_text();
      return;
    }
    std::size_t depth = 0;
    do {
      if (at_ == text_.size()) refuse("a list has no end");
      const char letter = text_[at_++];
      if (letter == '[') ++depth;
      if (letter == ']') --depth;
    } while (depth > 0);
  }

  void read_shape() {
    expect('(');
    while (peek() != ')') {
      const std::size_t end = std::min(text_.find_first_not_of("0123456789", at_), text_.size());
      const auto size = whole_number<std::uint64_t>(text_.substr(at_, end - at_));
      if (!size) refuse("a size is no number from 0");
      if (header_.shape.size() == limits_.rank) {
        refuse(fmt::format("it has over {} dimensions", limits_.rank));
      }
      header_.shape.push_back(*size);
      at_ = end;
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2's long
      if (peek() != ',') break;
      expect(',');
    }
    expect(')');
  }

  std::string_view text_;
  std::uint64_t origin_;
  const Limits& limits_;
  std::size_t at_ = 0;
  NpyHeader header_;
};

}  // namespace

NpyHeader read_npy_header(const Source& source, const NpyPlace& place, const Limits& limits) {
  constexpr std::uint64_t shortest = 10;
  const std::uint64_t at = place.stored.begin;
  std::string text = first_bytes(source, place, shortest);
  if (!text.starts_with(magic)) malformed(code, "the array has no magic", at);
  const auto version = static_cast<unsigned char>(text[6]);
  if (version < 1 || version > 3 || text[7] != 0) {
    malformed(code, fmt::format("the format's version {} is not known", version), at + 6);
  }
  const std::uint64_t prefix = version == 1 ? shortest : shortest + 2;
  text = first_bytes(source, place, prefix);
  ByteReader reader(std::as_bytes(std::span(text)), code, at);
  reader.bytes(8, "the magic");
  const std::uint64_t length = version == 1 ? reader.u16() : reader.u32();
  if (length > longest_header) {
    malformed(code, fmt::format("the header claims {} bytes", length), at + 8);
  }
  text = first_bytes(source, place, prefix + length);
  const std::uint64_t origin = place.deflated ? at : at + prefix;
  NpyHeader header = DictionaryReader(std::string_view(text).substr(prefix), origin, limits).read();
  header.bytes = prefix + length;
  return header;
}

}  // namespace pedigree
