// What this version supports and how far, as a value: one row of `inspect --formats`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

struct Supported {
  std::string kind = {};   // format, element-type, packing
  std::string id = {};     // "gguf", "Q4_K", "gptq": as reports say it
  std::string title = {};  // for people; "" where the id says it
  // read: its values can be compared; recognised: it is named, listed and hashed.
  std::string state = {};
  std::string checked = {};  // what the reader was held against
  std::string remedy = {};   // what a person can do about what is only recognised

  bool operator==(const Supported&) const = default;
};

}  // namespace pedigree
