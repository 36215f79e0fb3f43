#include "formats/pickle.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/torch_builder.h"

namespace pedigree {
namespace {

using namespace std::string_literals;
using Kind = PickleNode::Kind;

PickleReading decoded(const std::string& bytes) {
  const MemorySource source("any", bytes);
  return read_pickle(source, {.begin = 0, .end = source.size()}, {});
}

// The text that the only value of this pickle is; "broken" when it broke.
std::string text_of(const std::string& bytes) {
  const PickleReading reading = decoded(bytes);
  return reading.broken ? "broken" : std::string(reading.tree.text(reading.root));
}

std::int64_t number_of(const std::string& bytes) {
  const PickleReading reading = decoded(bytes);
  REQUIRE(reading.tree.is(reading.root, Kind::integer));
  return reading.tree.at(reading.root).number;
}

}  // namespace

TEST_CASE("numbers of every protocol keep their value and sign") {
  CHECK(number_of("I12\n.") == 12);
  CHECK(number_of("L-7L\n.") == -7);
  CHECK(number_of("K\xff.") == 255);
  CHECK(number_of("M\xff\xff.") == 65535);
  CHECK(number_of("J\xff\xff\xff\xff.") == -1);
  CHECK(number_of("\x8a\x00."s) == 0);
  CHECK(number_of("\x8a\x01\xff.") == -1);
  CHECK(number_of("\x8a\x02\xff\x00."s) == 255);
  CHECK(number_of("\x8b\x02\0\0\0\x00\x80."s) == -32768);
  const PickleReading yes = decoded("I01\n.");
  CHECK(yes.tree.is(yes.root, Kind::boolean));
  const PickleReading big = decoded("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  CHECK(big.tree.is(big.root, Kind::big_integer));
}

TEST_CASE("texts of every protocol are read") {
  CHECK(text_of("S'a\\n\\x41\\\\'\n.") == "a\nA\\");
  CHECK(text_of("S'open\n.") == "broken");
  CHECK(text_of("V\\u00e9\xe9\n.") == "éé");
  CHECK(text_of("V\\U0001f600\n.") == "😀");
  CHECK(text_of("X\2\0\0\0ab."s) == "ab");
  CHECK(text_of("\x8c\2ab.") == "ab");
  CHECK(text_of("U\2ab.") == "ab");
  CHECK(text_of("C\2ab.") == "ab");
}

TEST_CASE("bytes that are long stay in the file, with their place") {
  const std::string bytes = "B\0\0\1\0"s + std::string(65536, 'x') + ".";
  const PickleReading reading = decoded(bytes);
  REQUIRE_FALSE(reading.broken.has_value());
  CHECK(reading.tree.text(reading.root).empty());
  CHECK(reading.tree.bytes(reading.root) == Extent{.begin = 5, .end = 65541});
}

TEST_CASE("containers keep their items in order, through the memo too") {
  const PickleReading reading = decoded("](K\1K\2K\3eq\0h\0\x86."s);
  REQUIRE_FALSE(reading.broken.has_value());
  const auto outer = reading.tree.items(reading.root);
  REQUIRE(outer.size() == 2);
  CHECK(outer[0] == outer[1]);
  CHECK(reading.tree.items(outer[0]).size() == 3);
}

TEST_CASE("names off the list are told once, with the place of the first") {
  using namespace made_pickle;
  const std::string run = call(name("os", "system"), {text("x")});
  const PickleReading reading = decoded(whole(run + "0" + run));
  REQUIRE(reading.foreign.size() == 1);
  CHECK(reading.foreign[0].full_name() == "os.system");
  CHECK(reading.foreign[0].offset == 2);
}

TEST_CASE("MEMOIZE takes the number Python would take, after odd PUTs too") {
  // PUT 5 and PUT 2, then MEMOIZE: the memo holds two values, so the third goes to 2.
  const PickleReading reading = decoded("\x8c\1a\x71\5\x8c\1b\x71\2\x8c\1c\x94h\2.");
  REQUIRE_FALSE(reading.broken.has_value());
  CHECK(reading.tree.text(reading.root) == "c");
}

TEST_CASE("setting attributes of a function that weights do need is told") {
  using namespace made_pickle;
  const PickleReading reading =
      decoded(whole(name("torch._utils", "_rebuild_tensor_v2") + mapping({{"x", "N"}}) + "b"));
  REQUIRE(reading.foreign.size() == 1);
  CHECK(reading.foreign[0].name == "_rebuild_tensor_v2 (its attributes are set)");
}

TEST_CASE("a pickle that asks for more than the limits is stopped") {
  Limits limits;
  limits.pickle_stack = 100;
  limits.pickle_nodes = 1000;
  limits.pickle_operations = 5000;
  const auto code = [&](const std::string& bytes) {
    const MemorySource source("any", bytes);
    const auto reading = read_pickle(source, {.begin = 0, .end = source.size()}, limits);
    return reading.broken ? reading.broken->code : "";
  };
  CHECK(code(std::string(101, 'N') + ".") == "limit-exceeded");
  CHECK(code(std::string(101, '(') + ".") == "limit-exceeded");
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "N0";
  CHECK(code(many + ".") == "limit-exceeded");
  std::string operations = "N";
  for (int i = 0; i < 5000; ++i) operations += "20";
  CHECK(code(operations + ".") == "limit-exceeded");
}

}  // namespace pedigree
