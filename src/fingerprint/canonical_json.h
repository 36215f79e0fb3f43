// Writes JSON in one way only: keys ascending, no spaces, UTF-8 as it is, the
// shortest digits that read back as the same number.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

std::string quoted_json(std::string_view text);  // invalid bytes become %XX

class CanonicalJson {
 public:
  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void key(std::string_view name);  // must be above the object's last key

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(bool truth);
  void value(double number);  // finite
  void value(std::integral auto number) { raw(std::to_string(number)); }

  template <class T>
  void member(std::string_view name, const T& content) {
    key(name);
    value(content);
  }

  const std::string& text() const { return text_; }

 private:
  struct Level {
    bool is_first = true;
    std::string last_key = {};
  };

  void raw(std::string_view token);
  void separate();

  std::string text_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

}  // namespace pedigree
