// Any text becomes a tree or a problem; the tree's numbers and lines make sense.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "base/text.h"

namespace {

using namespace pedigree;

// Depth is bounded by JsonLimits, so recursion is.
void hold_value(const JsonValue& value, unsigned lines) {
  check(value.line >= 1 && value.line <= lines, "line outside the text");
  check(std::isfinite(value.number), "a number that is not finite");
  check(is_valid_utf8(value.text), "text that is not UTF-8");
  for (const JsonValue& item : value.items) hold_value(item, lines);
  for (const auto& [key, member] : value.members) {
    check(is_valid_utf8(key), "a key that is not UTF-8");
    check(value.find(key) != nullptr, "a member that is not found");
    hold_value(member, lines);
  }
}

void hold_problem(const Problem& problem, std::string_view text, unsigned lines) {
  check(problem.code.starts_with("json-"), "another room's code");
  check(is_valid_utf8(problem.message), "a message that is not UTF-8");
  check(!problem.offset || *problem.offset <= text.size(), "offset outside the text");
  check(!problem.line || (*problem.line >= 1 && *problem.line <= lines), "line outside the text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  const unsigned lines = line_of(text, text.size());
  const auto document = parse_json(text, "fuzzed");
  if (document) {
    hold_value(document->root, lines);
    for (const Problem& problem : document->problems) hold_problem(problem, text, lines);
  } else {
    hold_problem(document.error(), text, lines);
  }
  return 0;
}
