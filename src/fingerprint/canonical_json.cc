#include "fingerprint/canonical_json.h"

#include <fmt/format.h>

#include <cmath>

#include "base/problem.h"
#include "base/text.h"

namespace pedigree {

std::string quoted_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : percent_escaped(text)) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
  return out;
}

void CanonicalJson::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) return;
  if (!levels_.back().is_first) text_ += ',';
  levels_.back().is_first = false;
}

void CanonicalJson::raw(std::string_view token) {
  separate();
  text_ += token;
}

void CanonicalJson::begin_object() {
  raw("{");
  levels_.emplace_back();
}

void CanonicalJson::end_object() {
  levels_.pop_back();
  text_ += '}';
}

void CanonicalJson::begin_array() {
  raw("[");
  levels_.emplace_back();
}

void CanonicalJson::end_array() {
  levels_.pop_back();
  text_ += ']';
}

void CanonicalJson::key(std::string_view name) {
  check(!levels_.empty(), "a key outside an object");
  Level& level = levels_.back();
  check(level.is_first || level.last_key < name, "keys out of order");
  level.last_key = name;
  separate();
  text_ += quoted_json(name);
  text_ += ':';
  after_key_ = true;
}

void CanonicalJson::value(std::string_view text) { raw(quoted_json(text)); }

void CanonicalJson::value(bool truth) { raw(truth ? "true" : "false"); }

void CanonicalJson::value(double number) {
  check(std::isfinite(number), "a number that JSON cannot hold");
  raw(fmt::format("{}", number));
}

}  // namespace pedigree
