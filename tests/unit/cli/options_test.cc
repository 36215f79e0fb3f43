#include "cli/options.h"

#include <doctest/doctest.h>

#include <array>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/session.h"

using namespace pedigree;

namespace {

constexpr std::array specs = {
    OptionSpec{.name = "against", .value_name = "MODEL", .repeatable = true},
    OptionSpec{.name = "expect", .value_name = "WHAT"},
    OptionSpec{.name = "policy", .value_name = "FILE", .later = true},
};

std::string complaint(const std::vector<std::string>& words) {
  const auto parsed = parse_arguments(specs, words);
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("operands, flags, values and repeated options are told apart") {
  const auto parsed =
      parse_arguments(specs, {"a", "--against", "b", "-q", "--against=c", "-ojson", "--", "-d"});
  REQUIRE(parsed);
  CHECK(parsed->operands() == std::vector<std::string>{"a", "-d"});
  CHECK(parsed->values("against") == std::vector<std::string>{"b", "c"});
  CHECK(parsed->value("output") == "json");
  CHECK(parsed->has("quiet"));
  CHECK_FALSE(parsed->has("strict"));
}

TEST_CASE("an unknown option gets the nearest known one, without guessing") {
  CHECK(complaint({"--agianst", "x"}) == "unknown option '--agianst', did you mean '--against'?");
  CHECK(complaint({"--again", "x"}) == "unknown option '--again', did you mean '--against'?");
  CHECK(complaint({"--zzzzzzz"}) == "unknown option '--zzzzzzz'");
}

TEST_CASE("missing values and doubled options are refused") {
  CHECK(complaint({"--expect"}) != "");
  CHECK(complaint({"--expect", "a", "--expect", "b"}) == "--expect is given twice");
  CHECK(complaint({"--quiet=yes"}) != "");
}

TEST_CASE("options of later versions say so") {
  CHECK(complaint({"--policy", "x"}) == "--policy is not available in this version");
  CHECK(complaint({"--max-memory", "1G"}) == "--max-memory is not available in this version");
}

TEST_CASE("the verb is found behind global options and their values") {
  CHECK(verb_position({"audit", "x"}) == 0);
  CHECK(verb_position({"-o", "json", "--quiet", "audit"}) == 3);
  CHECK(verb_position({"-ojson", "audit"}) == 1);
  CHECK(verb_position({"--threads=2", "audit", "--against", "x"}) == 1);
  CHECK(verb_position({"--version"}) == 1);
  CHECK(verb_position({}) == 0);
}

TEST_CASE("every command of this version has help with examples") {
  for (const Command* command : commands()) {
    if (command->run == nullptr) continue;
    const std::string help = command_help(*command);
    CHECK_MESSAGE(!command->examples.empty(), command->name);
    for (const std::string_view example : command->examples) {
      CHECK(help.find(example) != std::string::npos);
    }
    for (const OptionSpec& spec : command->options) {
      const bool shown = help.find("--" + std::string(spec.name)) != std::string::npos;
      CHECK_MESSAGE(shown != spec.later, spec.name);
    }
  }
}

TEST_CASE("a word is quoted as a shell reads it back") {
  CHECK(shell_quoted("model/a-1.safetensors") == "model/a-1.safetensors");
  CHECK(shell_quoted("") == "''");
  CHECK(shell_quoted("a b") == "'a b'");
  CHECK(shell_quoted("it's") == "'it'\\''s'");
}

TEST_CASE("times are in UTC") {
  CHECK(utc_text(0) == "1970-01-01T00:00:00Z");
  CHECK(utc_text(1704164645) == "2024-01-02T03:04:05Z");
}
