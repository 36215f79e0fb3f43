#include "formats/gguf_metadata.h"

#include <fmt/format.h>

#include <utility>

namespace pedigree {
namespace {

constexpr std::string_view code = "gguf-metadata";
constexpr std::uint64_t longest_key = 65'535;
constexpr std::uint64_t longest_text = std::uint64_t{64} << 20U;
constexpr unsigned deepest = 4;

enum Type : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

}  // namespace

std::uint64_t GgufReader::count(std::string_view what) {
  return version_ == 1 ? in_.number<std::uint32_t>(what) : in_.number<std::uint64_t>(what);
}

std::string GgufReader::text(std::uint64_t most, std::string_view what) {
  const std::uint64_t at = in_.offset();
  const std::uint64_t size = count(what);
  if (size > most && size <= in_.remaining()) {
    malformed("limit-exceeded",
              fmt::format("{} has {} bytes, over the limit of {}", what, size, most), at);
  }
  return in_.text(size, what);
}

HeaderField GgufReader::field() {
  HeaderField field = {.offset = in_.offset()};
  field.key = text(longest_key, "a metadata key");
  if (field.key.empty()) malformed(code, "a metadata entry has an empty key", field.offset);
  const auto type = in_.number<std::uint32_t>("a value's type");
  field.value = type == Type::array ? list(1) : scalar(type);
  return field;
}

bool GgufReader::truth() {
  const std::uint64_t at = in_.offset();
  const auto byte = in_.number<std::uint8_t>("a truth value");
  if (byte > 1) malformed(code, fmt::format("a truth value is {}", byte), at);
  return byte == 1;
}

HeaderField::Value GgufReader::scalar(std::uint32_t type) {
  constexpr std::string_view what = "a value";
  switch (type) {
    case Type::u8:
      return std::int64_t{in_.number<std::uint8_t>(what)};
    case Type::i8:
      return std::int64_t{in_.number<std::int8_t>(what)};
    case Type::u16:
      return std::int64_t{in_.number<std::uint16_t>(what)};
    case Type::i16:
      return std::int64_t{in_.number<std::int16_t>(what)};
    case Type::u32:
      return std::int64_t{in_.number<std::uint32_t>(what)};
    case Type::i32:
      return std::int64_t{in_.number<std::int32_t>(what)};
    case Type::f32:
      return static_cast<double>(in_.number<float>(what));
    case Type::boolean:
      return truth();
    case Type::string:
      return text(longest_text, "a text");
    case Type::u64:
      return in_.number<std::uint64_t>(what);
    case Type::i64:
      return in_.number<std::int64_t>(what);
    case Type::f64:
      return in_.number<double>(what);
    default:
      malformed(code, fmt::format("a value has the type {}, which GGUF does not know", type),
                in_.offset() - 4);
  }
}

// What one element takes in the file at least.
std::uint64_t GgufReader::least_bytes(std::uint32_t type) const {
  switch (type) {
    case Type::u8:
    case Type::i8:
    case Type::boolean:
      return 1;
    case Type::u16:
    case Type::i16:
      return 2;
    case Type::u32:
    case Type::i32:
    case Type::f32:
      return 4;
    case Type::u64:
    case Type::i64:
    case Type::f64:
      return 8;
    case Type::string:
      return version_ == 1 ? 4 : 8;
    case Type::array:
      return version_ == 1 ? 8 : 12;
    default:
      malformed(code, fmt::format("a list holds the type {}, which GGUF does not know", type),
                in_.offset() - 4);
  }
}

void GgufReader::keep(std::uint64_t items) {
  if (items > limits_.list_items - kept_) {
    malformed("limit-exceeded",
              fmt::format("the lists of the header have over {} items", limits_.list_items),
              in_.offset());
  }
  kept_ += items;
}

HeaderField::Value GgufReader::list(unsigned depth) {
  const auto type = in_.number<std::uint32_t>("a list's type");
  const std::uint64_t each = least_bytes(type);
  const std::uint64_t at = in_.offset();
  const std::uint64_t items = count("a list's length");
  if (items > in_.remaining() / each) {
    malformed("gguf-header",
              fmt::format("a list of {} items cannot lie in the {} bytes that are left", items,
                          in_.remaining()),
              at);
  }
  if (type == Type::string) return texts(items);
  if (type != Type::array) return numbers(type, items);
  if (depth == deepest) malformed(code, fmt::format("lists are nested over {} deep", deepest), at);
  keep(items);
  for (std::uint64_t i = 0; i < items; ++i) list(depth + 1);
  return std::monostate();
}

std::vector<std::string> GgufReader::texts(std::uint64_t items) {
  keep(items);
  std::vector<std::string> result;
  result.reserve(static_cast<std::size_t>(items));
  for (std::uint64_t i = 0; i < items; ++i) result.push_back(text(longest_text, "a text"));
  return result;
}

std::vector<double> GgufReader::numbers(std::uint32_t type, std::uint64_t items) {
  keep(items);
  std::vector<double> result;
  result.reserve(static_cast<std::size_t>(items));
  for (std::uint64_t i = 0; i < items; ++i) {
    const HeaderField::Value value = scalar(type);
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      result.push_back(static_cast<double>(*whole));
    } else if (const auto* large = std::get_if<std::uint64_t>(&value)) {
      result.push_back(static_cast<double>(*large));
    } else if (const auto* real = std::get_if<double>(&value)) {
      result.push_back(*real);
    } else {
      result.push_back(std::get<bool>(value) ? 1 : 0);
    }
  }
  return result;
}

}  // namespace pedigree
