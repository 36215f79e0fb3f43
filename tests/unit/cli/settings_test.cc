#include "cli/settings.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

using namespace pedigree;

namespace {

using Variables = std::map<std::string, std::string>;

Environment environment_of(const Variables& variables) {
  return [variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

std::expected<Settings, UsageError> settings_of(const std::vector<std::string>& words,
                                                const Variables& variables = {}) {
  const auto arguments = parse_arguments({}, words);
  REQUIRE(arguments);
  return settings_from(*arguments, environment_of(variables));
}

std::string complaint(const std::vector<std::string>& words, const Variables& variables = {}) {
  const auto settings = settings_of(words, variables);
  return settings ? "" : settings.error().message;
}

// A file that is gone when the test is over.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text) {
    char name[] = "/tmp/pedigree-settings-XXXXXX";
    ::close(::mkstemp(name));
    path = name;
    std::ofstream(path) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path;
};

}  // namespace

TEST_CASE("without options one text report goes to stdout and errors fail") {
  const auto settings = settings_of({});
  REQUIRE(settings);
  REQUIRE(settings->outputs.size() == 1);
  CHECK(settings->outputs[0].reporter->id == "text");
  CHECK(settings->outputs[0].path == "-");
  CHECK(settings->fail_on == Severity::error);
  CHECK_FALSE(settings->strict);
}

TEST_CASE("several reports can be written, one of them to stdout") {
  const auto settings = settings_of({"-o", "json=a.json", "-o", "text", "-o", "markdown=b=c.md"});
  REQUIRE(settings);
  REQUIRE(settings->outputs.size() == 3);
  CHECK(settings->outputs[0].path == "a.json");
  CHECK(settings->outputs[1].path == "-");
  CHECK(settings->outputs[2].path == "b=c.md");
  CHECK(complaint({"-o", "json", "-o", "text"}).starts_with("two reports would go to stdout"));
  CHECK(complaint({"-o", "json=-", "-o", "text"}).starts_with("two reports would go to stdout"));
  CHECK(complaint({"-o", "json=x", "-o", "text=x"}) == "two reports would go to x");
}

TEST_CASE("formats are known, nearly known, or of a later version") {
  CHECK(complaint({"-o", "jsn"}) == "unknown output format 'jsn', did you mean 'json'?");
  CHECK(complaint({"-o", "html"}) == "the output format 'html' is not available in this version");
  CHECK(complaint({"-o", "json="}) == "'json=' names no file");
}

TEST_CASE("levels, colours and thread counts are checked") {
  CHECK(settings_of({"--fail-on", "none"})->fail_on == std::nullopt);
  CHECK(settings_of({"--fail-on", "note"})->fail_on == Severity::note);
  CHECK(complaint({"--fail-on", "eror"}) ==
        "'eror' is no level: none, note, warning or error, did you mean 'error'?");
  CHECK(settings_of({"--color", "never"})->colour == ColourChoice::never);
  CHECK(complaint({"--color", "blue"}) != "");
  CHECK(settings_of({"--threads", "3"})->threads == 3);
  for (const char* bad : {"-1", "x", "3x", "1025", "99999999999999999999"}) {
    CHECK_MESSAGE(complaint({std::string("--threads=") + bad}) != "", bad);
  }
}

TEST_CASE("a flag beats the environment, which beats the file") {
  const TemporaryFile file(R"({"threads": 1, "fail-on": "note", "strict": true})");
  const auto settings = settings_of({"--config", file.path, "--threads", "3"},
                                    {{"PEDIGREE_THREADS", "2"}, {"PEDIGREE_FAIL_ON", "warning"}});
  REQUIRE(settings);
  CHECK(settings->threads == 3);
  CHECK(settings->fail_on == Severity::warning);
  CHECK(settings->strict);
  CHECK_FALSE(settings_of({"--config", file.path}, {{"PEDIGREE_STRICT", "0"}})->strict);
  CHECK(settings_of({}, {{"PEDIGREE_CONFIG", file.path}})->threads == 1);
}

TEST_CASE("an unknown key of the configuration gets the nearest known one") {
  const TemporaryFile file(R"({"thread": 1})");
  CHECK(complaint({"--config", file.path}) ==
        file.path + ": unknown key 'thread', did you mean 'threads'?");
}

TEST_CASE("a configuration that is not there or not JSON is refused") {
  CHECK(complaint({"--config", "/nowhere/pedigree.json"}) != "");
  const TemporaryFile broken("{");
  CHECK(complaint({"--config", broken.path}) != "");
  const TemporaryFile list("[]");
  CHECK(complaint({"--config", list.path}) ==
        list.path + ": the configuration is not a JSON object");
  const TemporaryFile wrong(R"({"strict": "yes"})");
  CHECK(complaint({"--config", wrong.path}) == wrong.path + ": 'strict' must be true or false");
  const TemporaryFile outputs(R"({"output": ["json=a", "text"]})");
  CHECK(settings_of({"--config", outputs.path})->outputs.size() == 2);
}

TEST_CASE("SOURCE_DATE_EPOCH must be seconds") {
  CHECK(settings_of({}, {{"SOURCE_DATE_EPOCH", "1700000000"}})->source_date_epoch == 1700000000);
  CHECK(complaint({}, {{"SOURCE_DATE_EPOCH", "soon"}}) != "");
  CHECK(complaint({}, {{"SOURCE_DATE_EPOCH", "-5"}}) != "");
}
