#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

namespace pedigree {
namespace {

// Walks the text and tells how far the parser has come.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::uint64_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  std::uint64_t* count_;
};

// What the library says is wrong, without the place and the text around it.
std::string reason_of(std::string_view message) {
  const std::size_t dash = message.find(" - ");
  if (dash != message.npos) message.remove_prefix(dash + 3);
  return std::string(message.substr(0, message.find("; last read")));
}

// nlohmann's SAX interface; names and signatures are the library's.
class EventAdapter {
 public:
  using Json = nlohmann::json;
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  EventAdapter(std::string_view file, const JsonLimits& limits, const std::uint64_t& count,
               const std::function<void(const JsonEvent&)>& sink)
      : file_(file), limits_(limits), count_(count), sink_(sink) {}

  bool null() { return send({.kind = JsonEvent::Kind::null}); }
  bool boolean(bool value) { return send({.kind = JsonEvent::Kind::boolean, .boolean = value}); }
  bool number_integer(number_integer_t value) {
    return send({.kind = JsonEvent::Kind::integer, .integer = value});
  }
  bool number_unsigned(number_unsigned_t value) {
    return send({.kind = JsonEvent::Kind::unsigned_integer, .unsigned_integer = value});
  }
  bool number_float(number_float_t value, const string_t& raw) {
    if (raw.find_first_of(".eE") == string_t::npos) {
      return refuse("json-number-range",
                    fmt::format("the integer {} does not fit 64 bits", raw.substr(0, 40)));
    }
    if (!std::isfinite(value)) return refuse("json-number-range", "a number is beyond a double");
    return send({.kind = JsonEvent::Kind::number, .number = value});
  }
  bool string(string_t& value) { return send({.kind = JsonEvent::Kind::string, .text = value}); }
  bool binary(binary_t& value) {
    static_cast<void>(value);
    return refuse("json-malformed", "JSON text holds no binary values");
  }
  bool key(string_t& value) { return send({.kind = JsonEvent::Kind::key, .text = value}); }
  bool start_object(std::size_t) { return open(JsonEvent::Kind::begin_object); }
  bool end_object() { return close(JsonEvent::Kind::end_object); }
  bool start_array(std::size_t) { return open(JsonEvent::Kind::begin_array); }
  bool end_array() { return close(JsonEvent::Kind::end_array); }
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) {
    const std::string reason = reason_of(error.what());
    const bool constant = reason.starts_with("invalid") && !reason.starts_with("invalid string") &&
                          (token.ends_with("N") || token.ends_with("I"));
    std::string_view code = "json-malformed";
    std::string message = "this is not JSON at the place named: " + reason;
    if (constant) {
      code = "json-nan";
      message = "NaN and Infinity are not JSON";
    } else if (error.id == 406) {  // the library's out_of_range
      code = "json-number-range";
      message = "a number is beyond a double";
    }
    const std::uint64_t place = position == 0 ? 0 : position - 1;
    problem = make_problem(code, std::string(file_), std::move(message), place);
    return false;
  }

  std::optional<Problem> problem;

 private:
  bool refuse(std::string_view code, std::string message) {
    problem = make_problem(code, std::string(file_), std::move(message), count_);
    return false;
  }
  bool send(JsonEvent event) {
    event.depth = depth_;
    event.offset = count_;
    sink_(event);
    return true;
  }
  bool open(JsonEvent::Kind kind) {
    send({.kind = kind});
    if (++depth_ <= limits_.depth) return true;
    return refuse("json-malformed", fmt::format("values are nested over {} deep", limits_.depth));
  }
  bool close(JsonEvent::Kind kind) {
    --depth_;
    return send({.kind = kind});
  }

  std::string_view file_;
  const JsonLimits& limits_;
  const std::uint64_t& count_;
  const std::function<void(const JsonEvent&)>& sink_;
  std::size_t depth_ = 0;
};

// Builds the tree; a stack of indices would be smaller, pointers are clearer.
class TreeBuilder {
 public:
  TreeBuilder(std::string_view text, std::string_view file, const JsonLimits& limits,
              JsonDocument& document)
      : text_(text), file_(file), limits_(limits), document_(document) {}

  void operator()(const JsonEvent& event) {
    using enum JsonEvent::Kind;
    switch (event.kind) {
      case begin_object:
        push(event, JsonValue::Kind::object);
        return;
      case begin_array:
        push(event, JsonValue::Kind::array);
        return;
      case end_object:
      case end_array:
        open_.pop_back();
        return;
      case key:
        note_key(event);
        return;
      case string:
        place(event, {.kind = JsonValue::Kind::string, .text = std::string(event.text)});
        return;
      case integer:
        place(event, {.kind = JsonValue::Kind::integer, .integer = event.integer});
        return;
      case unsigned_integer:
        place(event, {.kind = JsonValue::Kind::unsigned_integer,
                      .unsigned_integer = event.unsigned_integer});
        return;
      case number:
        place(event, {.kind = JsonValue::Kind::number, .number = event.number});
        return;
      case boolean:
        place(event, {.kind = JsonValue::Kind::boolean, .boolean = event.boolean});
        return;
      case null:
        place(event, {});
        return;
    }
  }

 private:
  struct Open {
    JsonValue* value;
    std::set<std::string> keys;
  };

  unsigned line(std::uint64_t offset) {
    offset = std::min<std::uint64_t>(offset, text_.size());
    line_ += static_cast<unsigned>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(seen_),
                   text_.begin() + static_cast<std::ptrdiff_t>(std::max(seen_, offset)), '\n'));
    seen_ = std::max(seen_, offset);
    return line_;
  }

  JsonValue* place(const JsonEvent& event, JsonValue value) {
    if (++values_ > limits_.values) {
      malformed("json-malformed", "the document holds too many values", event.offset);
    }
    // A number's end is only known one byte later.
    const bool numeric = value.kind == JsonValue::Kind::integer ||
                         value.kind == JsonValue::Kind::unsigned_integer ||
                         value.kind == JsonValue::Kind::number;
    value.line = line(numeric && event.offset > 0 ? event.offset - 1 : event.offset);
    if (open_.empty()) {
      document_.root = std::move(value);
      return &document_.root;
    }
    JsonValue& parent = *open_.back().value;
    if (parent.kind == JsonValue::Kind::array) return &parent.items.emplace_back(std::move(value));
    return &parent.members.emplace_back(std::move(key_), std::move(value)).second;
  }

  void push(const JsonEvent& event, JsonValue::Kind kind) {
    open_.push_back({place(event, {.kind = kind}), {}});
  }

  void note_key(const JsonEvent& event) {
    key_ = std::string(event.text);
    if (open_.back().keys.insert(key_).second || document_.problems.size() > 100) return;
    Problem problem = make_problem("json-duplicate-key", std::string(file_),
                                   fmt::format("the key \"{}\" stands twice", key_), event.offset);
    problem.line = line(event.offset);
    document_.problems.push_back(std::move(problem));
  }

  std::string_view text_;
  std::string_view file_;
  const JsonLimits& limits_;
  JsonDocument& document_;
  std::vector<Open> open_;
  std::string key_;
  std::size_t values_ = 0;
  std::uint64_t seen_ = 0;
  unsigned line_ = 1;
};

}  // namespace

std::optional<Problem> read_json_events(std::string_view text, std::string_view file,
                                        const JsonLimits& limits,
                                        const std::function<void(const JsonEvent&)>& sink) {
  if (text.size() > limits.bytes) {
    return make_problem(
        "json-malformed", std::string(file),
        fmt::format("{} bytes are more than the {} that are read", text.size(), limits.bytes));
  }
  std::uint64_t count = 0;
  EventAdapter adapter(file, limits, count, sink);
  try {
    const bool done =
        nlohmann::json::sax_parse(CountingIterator(std::to_address(text.begin()), &count),
                                  CountingIterator(std::to_address(text.end()), &count), &adapter);
    if (!done && !adapter.problem) {
      adapter.problem =
          make_problem("json-malformed", std::string(file), "this is not JSON", count);
    }
    // The library takes a NUL for the end and would leave what follows unseen.
    if (done && count > 0 && text[count - 1] == '\0') {
      adapter.problem = make_problem("json-malformed", std::string(file),
                                     "a NUL byte stands behind the document", count - 1);
    }
  } catch (Malformed& stop) {
    stop.problem.file = std::string(file);
    adapter.problem = std::move(stop.problem);
  }
  if (adapter.problem && adapter.problem->offset && !adapter.problem->line) {
    adapter.problem->line = line_of(text, *adapter.problem->offset);
  }
  return std::move(adapter.problem);
}

Result<JsonDocument> parse_json(std::string_view text, std::string_view file,
                                const JsonLimits& limits) {
  JsonDocument document;
  if (text.starts_with("\xEF\xBB\xBF")) {
    document.problems.push_back(make_problem("json-byte-order-mark", std::string(file),
                                             "the file begins with a byte order mark", 0));
  }
  TreeBuilder builder(text, file, limits, document);
  // A document's nodes move while their parent's list grows, so pointers to open
  // containers are only taken of the last element, which never moves under them.
  auto problem = read_json_events(text, file, limits, std::ref(builder));
  if (problem) return std::unexpected(std::move(*problem));
  return document;
}

unsigned line_of(std::string_view text, std::uint64_t offset) {
  const auto end = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(offset, text.size()));
  return 1 + static_cast<unsigned>(std::count(text.begin(), text.begin() + end, '\n'));
}

const JsonValue* JsonValue::find(std::string_view key) const {
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    if (member->first == key) return &member->second;
  }
  return nullptr;
}

std::optional<std::uint64_t> JsonValue::as_u64() const {
  if (kind == Kind::unsigned_integer) return unsigned_integer;
  if (kind == Kind::number && number >= 0 && number <= 9007199254740992.0 &&
      std::floor(number) == number) {
    return static_cast<std::uint64_t>(number);
  }
  return std::nullopt;
}

std::optional<double> JsonValue::as_number() const {
  if (kind == Kind::number) return number;
  if (kind == Kind::unsigned_integer) return static_cast<double>(unsigned_integer);
  if (kind == Kind::integer) return static_cast<double>(integer);
  return std::nullopt;
}

std::optional<std::string_view> JsonValue::as_string() const {
  if (kind == Kind::string) return text;
  return std::nullopt;
}

std::optional<bool> JsonValue::as_bool() const {
  if (kind == Kind::boolean) return boolean;
  return std::nullopt;
}

}  // namespace pedigree
