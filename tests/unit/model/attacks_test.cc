#include "tests/support/attacks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "model/model.h"

namespace pedigree {
namespace {

std::string codes(const Model& model) {
  std::string all;
  for (const Problem& problem : model.problems) all += problem.code + " ";
  return all;
}

std::size_t hold_folder(const std::string& kind) {
  const auto attacks = attacks_in(PEDIGREE_FIXTURES "/attacks/" + kind);
  for (const auto& [name, path, expected] : attacks) {
    const auto model = open_model(path);
    REQUIRE_MESSAGE(model.has_value(), name);
    const auto told = std::ranges::find((*model)->problems, expected, &Problem::code);
    const bool found = told != (*model)->problems.end();
    CHECK_MESSAGE(found, name, ": expected ", expected, ", got ", codes(**model));
    // A directory as a whole has no file to name.
    const bool placed = !found || !told->file.empty() || expected == "no-weights" ||
                        expected == "adapter-keys-in-model";
    CHECK_MESSAGE(placed, name);
  }
  return attacks.size();
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
