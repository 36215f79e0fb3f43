#include "base/json.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

namespace pedigree {
namespace {

using Kind = JsonValue::Kind;

JsonDocument parsed(std::string_view text) {
  auto document = parse_json(text, "config.json");
  REQUIRE_MESSAGE(document.has_value(), document.error().message);
  return std::move(*document);
}

Problem refused(std::string_view text, const JsonLimits& limits = {}) {
  const auto document = parse_json(text, "config.json", limits);
  REQUIRE_FALSE(document.has_value());
  CHECK(document.error().file == "config.json");
  return document.error();
}

}  // namespace

TEST_CASE("a document becomes a tree in file order with the kinds of its values") {
  const JsonValue root = parsed(R"({"b":[1,-2,0.5,"x",true,null],"a":{}})").root;
  REQUIRE(root.members.size() == 2);
  CHECK(root.members[0].first == "b");
  const auto& items = root.find("b")->items;
  REQUIRE(items.size() == 6);
  CHECK(items[0].unsigned_integer == 1);
  CHECK(items[1].integer == -2);
  CHECK(items[2].number == 0.5);
  CHECK(items[3].text == "x");
  CHECK(items[4].boolean);
  CHECK(items[5].kind == Kind::null);
  CHECK(root.find("a")->kind == Kind::object);
  CHECK(root.find("c") == nullptr);
  CHECK(items[0].find("a") == nullptr);
}

TEST_CASE("values know the line on which they end") {
  const JsonValue root =
      parsed("{\n \"a\": 1,\n \"b\": \"x\",\n \"c\": [\n  2\n ],\n \"d\": true\n}\n").root;
  CHECK(root.find("a")->line == 2);
  CHECK(root.find("b")->line == 3);
  CHECK(root.find("c")->line == 4);
  CHECK(root.find("c")->items[0].line == 5);
  CHECK(root.find("d")->line == 7);
}

TEST_CASE("a key that stands twice is a problem with its line, and the last one counts") {
  const JsonDocument document = parsed("{\"a\": 1,\n\"b\": {\"x\": 1, \"x\": 2},\n\"a\": 3}");
  REQUIRE(document.problems.size() == 2);
  CHECK(document.problems[0].code == "json-duplicate-key");
  CHECK(document.problems[0].line == 2);
  CHECK(document.problems[1].line == 3);
  CHECK(document.problems[1].message == "the key \"a\" stands twice");
  CHECK(document.root.find("a")->unsigned_integer == 3);
  CHECK(document.root.find("b")->find("x")->unsigned_integer == 2);
}

TEST_CASE("the same key in different objects is no duplicate") {
  CHECK(parsed(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})").problems.empty());
}

TEST_CASE("integers up to 64 bits are exact and larger ones are refused") {
  const JsonValue root =
      parsed("[18446744073709551615,-9223372036854775808,9007199254740993]").root;
  CHECK(root.items[0].unsigned_integer == std::numeric_limits<std::uint64_t>::max());
  CHECK(root.items[1].integer == std::numeric_limits<std::int64_t>::min());
  CHECK(root.items[2].unsigned_integer == 9007199254740993);
  CHECK(refused("18446744073709551616").code == "json-number-range");
  CHECK(refused("{\n\"a\":\n-9223372036854775809}").code == "json-number-range");
  CHECK(refused("{\n\"a\":\n-9223372036854775809}").line == 3);
  CHECK(refused("[1e400]").code == "json-number-range");
}

TEST_CASE("numbers convert to what a caller asks for, or not at all") {
  const JsonValue root = parsed(R"([32.0, 32.5, -1, 1e3, "32", 1e300, true])").root;
  CHECK(root.items[0].as_u64() == 32);
  CHECK_FALSE(root.items[1].as_u64().has_value());
  CHECK_FALSE(root.items[2].as_u64().has_value());
  CHECK(root.items[3].as_u64() == 1000);
  CHECK_FALSE(root.items[4].as_u64().has_value());
  CHECK_FALSE(root.items[5].as_u64().has_value());
  CHECK(root.items[2].as_number() == -1.0);
  CHECK_FALSE(root.items[4].as_number().has_value());
  CHECK(root.items[4].as_string() == "32");
  CHECK_FALSE(root.items[0].as_string().has_value());
  CHECK(root.items[6].as_bool() == true);
  CHECK_FALSE(root.items[0].as_bool().has_value());
}

TEST_CASE("a byte order mark is a note and the document is read") {
  const JsonDocument document = parsed("\xEF\xBB\xBF{\"a\":1}");
  REQUIRE(document.problems.size() == 1);
  CHECK(document.problems[0].code == "json-byte-order-mark");
  CHECK(document.problems[0].severity == Severity::note);
  CHECK(document.root.find("a")->unsigned_integer == 1);
}

TEST_CASE("NaN and the infinities are told by their own code and line") {
  for (const char* text : {"NaN", "[1, NaN]", "{\"a\": Infinity}", "[-Infinity]", "[ NaN]"}) {
    CHECK_MESSAGE(refused(text).code == "json-nan", std::string(text));
  }
  CHECK(refused("{\"a\": 1,\n \"b\":\n  NaN}").line == 3);
}

TEST_CASE("a cut string that ends in N or I is not taken for a constant") {
  CHECK(refused("{\"a\":\"N").code == "json-malformed");
  CHECK(refused("{\"a\":\"IN\nI\"}").code == "json-malformed");
}

TEST_CASE("text that is not JSON is refused with its line and the reason") {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\" 1}", "{'a':1}", "// x\n1", "1 2", "tru",
                           "\"\\x\"", "01", "[1", "{\"a\":1}}"}) {
    CHECK_MESSAGE(refused(text).code == "json-malformed", std::string(text));
  }
  const Problem comma = refused("{\n\"a\": [1,\n]\n}");
  CHECK(comma.line == 3);
  CHECK(comma.message.find("unexpected ']'") != std::string::npos);
  CHECK(refused("\"\xFF\"").message.find("ill-formed UTF-8") != std::string::npos);
  CHECK(refused(R"("\udc00")").code == "json-malformed");
}

TEST_CASE("nothing hides behind a NUL") {
  CHECK(refused(std::string_view("{}\0", 3)).code == "json-malformed");
  CHECK(refused(std::string_view("{}\0{\"a\":1}", 10)).offset == 2);
  CHECK(refused(std::string_view("{\0}", 3)).code == "json-malformed");
}

TEST_CASE("depth, size and number of values are bounded") {
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  CHECK(parse_json(deep, "a").has_value());
  CHECK(refused("[" + deep + "]").message == "values are nested over 64 deep");
  CHECK(refused(std::string(1'000'000, '[')).code == "json-malformed");
  CHECK(refused("[1,2,3]", {.bytes = 6}).message == "7 bytes are more than the 6 that are read");
  CHECK(refused("[1,2,3]", {.values = 3}).message == "the document holds too many values");
  CHECK(parse_json("[1,2,3]", "a", {.values = 4}).has_value());
}

TEST_CASE("events tell depth and offset, and a sink may stop the reading") {
  std::string seen;
  const auto sink = [&](const JsonEvent& event) {
    seen += std::to_string(event.depth) + "@" + std::to_string(event.offset) + " ";
    if (event.kind == JsonEvent::Kind::boolean) malformed("limit-exceeded", "enough", event.offset);
  };
  CHECK_FALSE(read_json_events(R"({"a":["b"]})", "f", {}, sink).has_value());
  CHECK(seen == "0@1 1@4 1@6 2@9 1@10 0@11 ");
  const auto stopped = read_json_events("[\ntrue, \"never seen\"]", "f", {}, sink);
  REQUIRE(stopped.has_value());
  CHECK(stopped->code == "limit-exceeded");
  CHECK(stopped->file == "f");
  CHECK(stopped->line == 2);
}

TEST_CASE("lines count from one and end with the text") {
  CHECK(line_of("a\nb\nc", 0) == 1);
  CHECK(line_of("a\nb\nc", 2) == 2);
  CHECK(line_of("a\nb\nc", 999) == 3);
}

}  // namespace pedigree
