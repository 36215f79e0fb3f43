#include <fmt/format.h>

#include <bit>
#include <utility>

#include "base/text.h"
#include "formats/pickle_machine.h"

namespace pedigree {
namespace {

// The character behind a backslash as repr() writes it, from text[at] on; `at`
// is moved behind it.
void append_escape(std::string_view text, std::size_t& at, std::string& out) {
  const char letter = text[at++];
  if (letter == 'x' && at + 2 <= text.size()) {
    if (const auto code = whole_number<unsigned char>(text.substr(at, 2), 16)) {
      out += static_cast<char>(*code);
      at += 2;
      return;
    }
  }
  switch (letter) {
    case 'n':
      out += '\n';
      return;
    case 'r':
      out += '\r';
      return;
    case 't':
      out += '\t';
      return;
    case '\\':
    case '\'':
    case '"':
      out += letter;
      return;
    default:
      out += '\\';
      out += letter;
  }
}

void append_utf8(std::uint32_t code, std::string& out) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | (code >> shift & 0x3FU));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0U | code >> 6U);
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0U | code >> 12U);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0U | (code >> 18U & 0x7U));
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace

std::uint64_t PickleMachine::decimal() {
  const auto number = whole_number<std::uint64_t>(cursor_.line());
  if (!number) refuse("a memo number is no number");
  return *number;
}

void PickleMachine::push_text(Kind kind, std::string text) {
  count_text(text.size());
  const auto place = static_cast<std::uint32_t>(tree_.texts_.size());
  tree_.texts_.push_back(std::move(text));
  push(PickleNode{.kind = kind, .place = place});
}

void PickleMachine::push_integer(std::int64_t number) {
  push(PickleNode{.kind = Kind::integer, .number = number});
}

void PickleMachine::push_big(std::string_view bytes) {
  push_text(Kind::big_integer, std::string(bytes));
}

void PickleMachine::integer_line() {
  const std::string_view line = cursor_.line();
  if (line == "00" || line == "01") {
    return push(PickleNode{.kind = Kind::boolean, .number = line == "01" ? 1 : 0});
  }
  const auto number = whole_number<std::int64_t>(line);
  if (!number) return push_big(line);
  push_integer(*number);
}

void PickleMachine::long_line() {
  std::string_view line = cursor_.line();
  if (line.ends_with('L')) line.remove_suffix(1);
  const auto number = whole_number<std::int64_t>(line);
  if (!number) return push_big(line);
  push_integer(*number);
}

void PickleMachine::signed_integer() {
  push_integer(static_cast<std::int32_t>(cursor_.little_endian(4)));
}

template <std::size_t Width>
void PickleMachine::long_integer() {
  const std::uint64_t size = cursor_.little_endian(Width);
  if (size > 1024) refuse("an integer has over 1024 bytes");
  if (size > 8) return push_big(cursor_.take(size));
  if (size == 0) return push_integer(0);
  const auto unused = static_cast<unsigned>(64 - 8 * size);
  const std::uint64_t bits = cursor_.little_endian(static_cast<std::size_t>(size)) << unused;
  push_integer(static_cast<std::int64_t>(bits) >> unused);
}

void PickleMachine::real_line() {
  cursor_.line();
  push(PickleNode{.kind = Kind::real});
}

void PickleMachine::real() {
  cursor_.skip(8);
  push(PickleNode{.kind = Kind::real});
}

// Short ones are kept as they are; of any bytes their place in the file is noted.
void PickleMachine::counted_bytes(std::uint64_t size, Kind kind) {
  const std::uint64_t begin = cursor_.offset();
  if (size > cursor_.remaining()) refuse("a text or bytes are longer than the pickle");
  const bool kept = size <= 4096 || (kind == Kind::text && size <= PickleCursor::window);
  if (kept) {
    push_text(kind, std::string(cursor_.take(size)));
  } else {
    cursor_.skip(size);
    push(PickleNode{.kind = Kind::bytes});
  }
  PickleNode& node = tree_.nodes_.back();
  node.first = static_cast<std::uint32_t>(tree_.extents_.size());
  tree_.extents_.push_back({.begin = begin, .end = begin + size});
}

void PickleMachine::string_line() {
  std::string_view line = cursor_.line();
  const bool in_quotes = line.size() >= 2 && line.front() == line.back() &&
                         (line.front() == '\'' || line.front() == '"');
  if (!in_quotes) refuse("a string is not in quotes");
  line = line.substr(1, line.size() - 2);
  std::string text;
  for (std::size_t at = 0; at < line.size();) {
    const char letter = line[at++];
    if (letter == '\\' && at < line.size()) {
      append_escape(line, at, text);
    } else {
      text += letter;
    }
  }
  push_text(Kind::text, std::move(text));
}

// Latin-1 with \uXXXX and \UXXXXXXXX for the rest.
void PickleMachine::unicode_line() {
  const std::string_view line = cursor_.line();
  std::string text;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t digits = line.substr(at).starts_with("\\u")   ? 4
                               : line.substr(at).starts_with("\\U") ? 8
                                                                    : 0;
    const auto code = digits == 0 || at + 2 + digits > line.size()
                          ? std::nullopt
                          : whole_number<std::uint32_t>(line.substr(at + 2, digits), 16);
    append_utf8(code ? *code : static_cast<unsigned char>(line[at]), text);
    at += code ? 2 + digits : 1;
  }
  push_text(Kind::text, std::move(text));
}

void PickleMachine::add_literal_steps(Steps& steps) {
  using M = PickleMachine;
  using Row = std::pair<char, Step>;
  // Python 2's strings ('U', 'T') are both: short ones are read as text.
  constexpr std::array rows = {Row{'N', &M::none},
                               Row{'\x88', &M::boolean<true>},
                               Row{'\x89', &M::boolean<false>},
                               Row{'I', &M::integer_line},
                               Row{'L', &M::long_line},
                               Row{'J', &M::signed_integer},
                               Row{'K', &M::unsigned_integer<1>},
                               Row{'M', &M::unsigned_integer<2>},
                               Row{'\x8a', &M::long_integer<1>},
                               Row{'\x8b', &M::long_integer<4>},
                               Row{'F', &M::real_line},
                               Row{'G', &M::real},
                               Row{'S', &M::string_line},
                               Row{'V', &M::unicode_line},
                               Row{'U', &M::counted<1, Kind::text>},
                               Row{'T', &M::counted<4, Kind::text>},
                               Row{'X', &M::counted<4, Kind::text>},
                               Row{'\x8c', &M::counted<1, Kind::text>},
                               Row{'\x8d', &M::counted<8, Kind::text>},
                               Row{'C', &M::counted<1, Kind::bytes>},
                               Row{'B', &M::counted<4, Kind::bytes>},
                               Row{'\x8e', &M::counted<8, Kind::bytes>},
                               Row{'\x96', &M::counted<8, Kind::bytes>}};
  for (const auto& [code, step] : rows) steps[static_cast<unsigned char>(code)] = step;
}

}  // namespace pedigree
