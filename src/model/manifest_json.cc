#include "model/manifest_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "base/text.h"

namespace pedigree {
namespace {

// What Python's writer emits and a strict reader refuses, made readable: NaN and
// Infinity outside strings become null, integers beyond 64 bits become strings
// of their digits, so that nothing is rounded. Lines stay where they are.
class Leniency {
 public:
  explicit Leniency(std::string_view text) : rest_(text) {}

  std::string rewritten() {
    result_.reserve(rest_.size() + 16);
    bool in_string = false;
    while (!rest_.empty()) {
      if (!in_string && (take_constant() || take_number())) continue;
      if (rest_.front() == '"') in_string = !in_string;
      copy(in_string && rest_.front() == '\\' ? std::min<std::size_t>(2, rest_.size()) : 1);
    }
    return std::move(result_);
  }

  // An integer other than the one every tokenizer_config.json holds.
  bool met_odd_integer() const { return odd_integer_; }

 private:
  void copy(std::size_t size) {
    result_ += rest_.substr(0, size);
    rest_.remove_prefix(size);
  }

  bool take_constant() {
    for (const std::string_view literal : {"-Infinity", "Infinity", "NaN"}) {
      if (!rest_.starts_with(literal)) continue;
      result_ += "null";
      rest_.remove_prefix(literal.size());
      return true;
    }
    return false;
  }

  bool take_number() {
    const std::size_t size = std::min(rest_.find_first_not_of("+-.eE0123456789"), rest_.size());
    if (size == 0) return false;
    const std::string_view number = rest_.substr(0, size);
    const std::string_view digits = number.substr(number.starts_with('-') ? 1 : 0);
    const bool integer = !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos;
    // What is no integer is left to the parser, which may refuse it.
    if (!integer || whole_number<std::int64_t>(number) || whole_number<std::uint64_t>(number)) {
      copy(size);
      return true;
    }
    // int(1e30), transformers' "no limit" for model_max_length.
    odd_integer_ = odd_integer_ || number != "1000000000000000019884624838656";
    result_ += '"';
    copy(size);
    result_ += '"';
    return true;
  }

  std::string_view rest_;
  std::string result_;
  bool odd_integer_ = false;
};

}  // namespace

std::optional<JsonValue> parse_side_json(std::string_view text, std::string_view file,
                                         std::vector<Problem>& problems) {
  auto document = parse_json(text, file);
  if (!document &&
      (document.error().code == "json-nan" || document.error().code == "json-number-range")) {
    Leniency leniency(text);
    const std::string rewritten = leniency.rewritten();
    if (document.error().code == "json-nan" || leniency.met_odd_integer()) {
      problems.push_back(std::move(document.error()));
    }
    document = parse_json(rewritten, file);
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
