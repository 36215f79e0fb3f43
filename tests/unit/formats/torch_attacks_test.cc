#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "formats/formats.h"
#include "tests/support/attacks.h"

namespace pedigree {
namespace {

std::vector<std::string> codes_of(const Source& source) {
  const auto file = read_weights(source);
  if (!file) return {file.error().code};
  std::vector<std::string> codes;
  for (const Problem& problem : file->problems) codes.push_back(problem.code);
  return codes;
}

}  // namespace

TEST_CASE("every attack on PyTorch and NumPy files gets the problem its why.md names") {
  const auto attacks = attacks_in(PEDIGREE_FIXTURES "/attacks/torch");
  for (const Attack& attack : attacks) {
    const auto source = open_file(attack.path + "/model.bin", "model.bin");
    REQUIRE_MESSAGE(source.has_value(), attack.name);
    const auto codes = codes_of(**source);
    CHECK_MESSAGE(std::ranges::find(codes, attack.expected) != codes.end(), attack.name, " got ",
                  codes.empty() ? "none" : codes.front());
  }
  CHECK(attacks.size() >= 70);
}

TEST_CASE("what a pickle calls is told even when the pickle breaks afterwards") {
  const auto source =
      open_file(PEDIGREE_FIXTURES "/attacks/torch/breaks-after-payload/model.bin", "model.bin");
  REQUIRE(source.has_value());
  const auto file = read_weights(**source);
  REQUIRE(file.has_value());
  REQUIRE(file->problems.size() == 2);
  CHECK(file->problems[0].message ==
        "loading this pickle imports or calls \"posix.system\", which no weights need");
  CHECK(file->problems[1].code == "pickle-malformed");
  CHECK(file->tensors.empty());
}

}  // namespace pedigree
