#include "model/shards_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "model/layout.h"

namespace pedigree {
namespace {

bool is_variant(std::string_view text) {
  constexpr std::array<std::string_view, 13> variants = {"fp16", "bf16",    "fp32",  "f16",  "f32",
                                                         "fp8",  "int8",    "int4",  "8bit", "4bit",
                                                         "ema",  "non_ema", "no_ema"};
  return std::ranges::find(variants, text) != variants.end();
}

bool is_separator(char letter) { return letter == '-' || letter == '_'; }

// Reads "00001" backwards from the end of `text`; the digits are cut off it.
std::optional<std::uint32_t> trailing_number(std::string_view& text, std::size_t& digits) {
  std::size_t size = 0;
  while (size < text.size() &&
         std::isdigit(static_cast<unsigned char>(text[text.size() - size - 1])) != 0) {
    ++size;
  }
  if (size < 5 || size > 6) return std::nullopt;
  std::uint32_t value = 0;
  std::from_chars(text.data() + text.size() - size, text.data() + text.size(), value);
  text.remove_suffix(size);
  digits = size;
  return value;
}

// Cuts "-00001-of-00003" off the end of `rest` and notes it; false when the end
// is anything else.
bool cut_shard_suffix(std::string_view& rest, WeightName& name) {
  std::string_view text = rest;
  std::size_t digits = 0;
  const auto count = trailing_number(text, digits);
  if (!count || text.empty() || !is_separator(text.back())) return false;
  std::string separators(1, text.back());
  text.remove_suffix(1);
  if (!text.ends_with("of")) return false;
  text.remove_suffix(2);
  if (text.empty() || !is_separator(text.back())) return false;
  separators += text.back();
  text.remove_suffix(1);
  std::size_t number_digits = 0;
  const auto number = trailing_number(text, number_digits);
  if (!number || number_digits != digits || text.size() < 2 || !is_separator(text.back())) {
    return false;
  }
  separators += text.back();
  text.remove_suffix(1);
  if (*number == 0 || *number > *count) return false;
  name.number = number;
  name.count = *count;
  name.digits = digits;
  name.separators = std::move(separators);
  rest = text;
  return true;
}

// Meta's "consolidated.00": numbered from 0, without a count.
bool cut_part_number(std::string_view& rest, WeightName& name) {
  if (!rest.starts_with("consolidated.") || rest.size() != 15) return false;
  std::uint32_t value = 0;
  const char* end = rest.data() + rest.size();
  const auto parsed = std::from_chars(end - 2, end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return false;
  name.number = value + 1;
  rest.remove_suffix(3);
  return true;
}

bool cut_variant(std::string_view& rest, WeightName& name) {
  const std::size_t dot = rest.rfind('.');
  if (dot == rest.npos || dot == 0 || !is_variant(rest.substr(dot + 1))) return false;
  name.variant = std::string(rest.substr(dot + 1));
  rest = rest.substr(0, dot);
  return true;
}

}  // namespace

WeightName parse_weight_name(std::string_view path) {
  WeightName name;
  name.folder = std::string(folder_of(path));
  std::string_view rest = leaf_of(path);
  const std::size_t dot = rest.rfind('.');
  if (dot != rest.npos && dot > 0) {
    name.extension = std::string(rest.substr(dot + 1));
    std::ranges::transform(name.extension, name.extension.begin(), [](char letter) {
      return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    });
    rest = rest.substr(0, dot);
  }
  // The variant stands behind the number in one generation of writers and
  // before it in another.
  if (!cut_shard_suffix(rest, name) && !cut_part_number(rest, name)) {
    std::string_view behind = rest;
    if (cut_variant(behind, name)) {
      rest = behind;
      cut_shard_suffix(rest, name);
    }
  } else {
    cut_variant(rest, name);
  }
  name.stem = std::string(rest);
  return name;
}

std::string WeightName::set() const {
  if (!number) return fmt::format("{}\n{}\n{}\n{}", folder, stem, variant, extension);
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", folder, stem, variant, extension, separators,
                     digits, count);
}

std::string WeightName::pattern() const {
  std::string text = folder + stem;
  if (number && count > 0) {
    text += fmt::format("-*-of-{:0{}}", count, digits);
  } else if (number) {
    text += ".*";
  }
  if (!variant.empty()) text += "." + variant;
  if (!extension.empty()) text += "." + extension;
  return text;
}

std::string WeightName::sibling(std::uint32_t other) const {
  if (count == 0 || separators.size() != 3) return {};
  std::string text = fmt::format("{}{}{:0{}}{}of{}{:0{}}", stem, separators[2], other, digits,
                                 separators[1], separators[0], count, digits);
  if (!variant.empty()) text += "." + variant;
  if (!extension.empty()) text += "." + extension;
  return text;
}

}  // namespace pedigree
