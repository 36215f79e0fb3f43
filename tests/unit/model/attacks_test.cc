// Each folder under fixtures/attacks is a model directory with one thing wrong;
// its why.md says what, and which problem must come of it.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "model/model.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

// The code between the backticks of the line "Expected: `code`".
std::string expected_code(const fs::path& why) {
  const auto text = read_small_file(why.string(), "why.md");
  if (!text) return "no why.md";
  constexpr std::string_view mark = "Expected: `";
  const std::size_t begin = text->find(mark);
  if (begin == std::string::npos) return "no expected code";
  const std::size_t end = text->find('`', begin + mark.size());
  return text->substr(begin + mark.size(), end - begin - mark.size());
}

std::string codes(const Model& model) {
  std::string all;
  for (const Problem& problem : model.problems) all += problem.code + " ";
  return all;
}

std::size_t hold_folder(std::string_view kind) {
  std::size_t count = 0;
  for (const auto& folder :
       fs::directory_iterator(fs::path(PEDIGREE_FIXTURES) / "attacks" / kind)) {
    const std::string name = folder.path().filename().string();
    const std::string expected = expected_code(folder.path() / "why.md");
    const auto model = open_model(folder.path().string());
    REQUIRE_MESSAGE(model.has_value(), name);
    const auto told = std::ranges::find((*model)->problems, expected, &Problem::code);
    const bool found = told != (*model)->problems.end();
    CHECK_MESSAGE(found, name, ": expected ", expected, ", got ", codes(**model));
    // A directory as a whole has no file to name.
    const bool placed = !found || !told->file.empty() || expected == "no-weights" ||
                        expected == "adapter-keys-in-model";
    CHECK_MESSAGE(placed, name);
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("every attack on an index gets the problem its why.md names") {
  CHECK(hold_folder("index") >= 15);
}
TEST_CASE("every attack on a card gets the problem its why.md names") {
  CHECK(hold_folder("card") >= 12);
}
TEST_CASE("every attack on a config gets the problem its why.md names") {
  CHECK(hold_folder("config") >= 10);
}
TEST_CASE("every attack on a tokenizer gets the problem its why.md names") {
  CHECK(hold_folder("tokenizer") >= 12);
}
TEST_CASE("every attack on a layout gets the problem its why.md names") {
  CHECK(hold_folder("layout") >= 12);
}

}  // namespace pedigree
