#include "model/manifest_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace pedigree {
namespace {

// `text` with NaN, Infinity and -Infinity outside strings as null; lines stay
// where they are. Python's writer emits the three; JSON does not have them.
std::string with_null_for_nonfinite(std::string_view text) {
  constexpr std::array<std::string_view, 3> literals = {"-Infinity", "Infinity", "NaN"};
  std::string result;
  result.reserve(text.size() + 16);
  bool in_string = false;
  while (!text.empty()) {
    const auto* literal = std::ranges::find_if(
        literals, [&](std::string_view candidate) { return text.starts_with(candidate); });
    std::size_t taken = 1;
    if (!in_string && literal != literals.end()) {
      taken = literal->size();
      result += "null";
    } else {
      if (text.front() == '"') in_string = !in_string;
      if (in_string && text.front() == '\\') taken = std::min<std::size_t>(2, text.size());
      result += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace

std::optional<JsonValue> parse_side_json(std::string_view text, std::string_view file,
                                         std::vector<Problem>& problems) {
  auto document = parse_json(text, file);
  if (!document && document.error().code == "json-nan") {
    problems.push_back(std::move(document.error()));
    document = parse_json(with_null_for_nonfinite(text), file);
  }
  if (!document) {
    problems.push_back(std::move(document.error()));
    return std::nullopt;
  }
  std::ranges::move(document->problems, std::back_inserter(problems));
  return std::move(document->root);
}

const JsonValue* json_at(const JsonValue& root, std::string_view path) {
  const JsonValue* value = root.find(path);
  const std::size_t dot = path.find('.');
  if (value != nullptr || dot == path.npos) return value;
  const JsonValue* outer = root.find(path.substr(0, dot));
  return outer == nullptr ? nullptr : json_at(*outer, path.substr(dot + 1));
}

std::string json_scalar_text(const JsonValue& value) {
  switch (value.kind) {
    case JsonValue::Kind::null:
      return "null";
    case JsonValue::Kind::boolean:
      return value.boolean ? "true" : "false";
    case JsonValue::Kind::integer:
      return fmt::format("{}", value.integer);
    case JsonValue::Kind::unsigned_integer:
      return fmt::format("{}", value.unsigned_integer);
    case JsonValue::Kind::number:
      return fmt::format("{}", value.number);
    case JsonValue::Kind::string:
      return value.text;
    case JsonValue::Kind::array:
    case JsonValue::Kind::object:
      break;
  }
  return {};
}

}  // namespace pedigree
