// Small JSON files beside the weights, read with patience: a writer's NaN is a
// problem and not the end of the file, and neither is a duplicate key.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace pedigree {

// The parsed document, or none when it cannot be parsed; what is wrong with it
// is added to `problems` either way.
std::optional<JsonValue> parse_side_json(std::string_view text, std::string_view file,
                                         std::vector<Problem>& problems);

// The value at a dotted path, null when a step is missing. A key may itself hold
// dots, so the whole path is tried before its steps.
const JsonValue* json_at(const JsonValue& root, std::string_view path);

// A scalar as text: "4096", "1e-05", "true", "null"; "" for containers.
std::string json_scalar_text(const JsonValue& value);

}  // namespace pedigree
