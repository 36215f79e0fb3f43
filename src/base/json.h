// JSON from strangers: events with line numbers, and a small tree for documents
// of modest size.
//
// The library's own tree keeps the last of two equal keys without a word and
// rounds integers beyond 64 bits; here both are problems. Large documents
// (tokenizer.json, shard headers) are read as events and never become a tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/problem.h"

namespace pedigree {

struct JsonLimits {
  std::size_t bytes = std::size_t{16} << 20U;
  std::size_t depth = 64;
  std::size_t values = std::size_t{1} << 20U;  // nodes of a tree; events are not counted
};

struct JsonEvent {
  enum class Kind {
    begin_object,
    end_object,
    begin_array,
    end_array,
    key,
    string,
    integer,           // negative, in `integer`
    unsigned_integer,  // in `unsigned_integer`
    number,            // with fraction or exponent, in `number`
    boolean,
    null
  };
  Kind kind = Kind::null;
  std::string_view text = {};  // of key and string; valid during the call only
  std::int64_t integer = 0;
  std::uint64_t unsigned_integer = 0;
  double number = 0;
  bool boolean = false;
  std::size_t depth = 0;     // containers open around this event
  std::uint64_t offset = 0;  // just behind the token
};

// Feeds `sink` every event of `text`. The sink may throw Malformed to stop.
// Returns the first problem: syntax (code json-malformed), size, depth, or an
// integer that 64 bits cannot hold (json-number-range). Duplicate keys are the
// sink's business: a set per open object is memory an attacker would choose.
std::optional<Problem> read_json_events(std::string_view text, std::string_view file,
                                        const JsonLimits& limits,
                                        const std::function<void(const JsonEvent&)>& sink);

struct JsonValue {
  enum class Kind { null, boolean, integer, unsigned_integer, number, string, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  std::uint64_t unsigned_integer = 0;
  double number = 0;
  std::string text = {};
  std::vector<JsonValue> items = {};                            // of an array
  std::vector<std::pair<std::string, JsonValue>> members = {};  // of an object, in file order
  unsigned line = 0;                                            // 1-based line where the value ends

  // The member called `key`, the last one if it stands twice; null when absent
  // or when this is not an object.
  const JsonValue* find(std::string_view key) const;

  std::optional<std::uint64_t> as_u64() const;  // also 32.0, which Python writers emit
  std::optional<double> as_number() const;      // any of the three number kinds
  std::optional<std::string_view> as_string() const;
  std::optional<bool> as_bool() const;
};

struct JsonDocument {
  JsonValue root;
  std::vector<Problem> problems;  // duplicates and a byte order mark: the tree still holds
};

Result<JsonDocument> parse_json(std::string_view text, std::string_view file,
                                const JsonLimits& limits = {});

// 1-based line of `offset` in `text`.
unsigned line_of(std::string_view text, std::uint64_t offset);

}  // namespace pedigree
