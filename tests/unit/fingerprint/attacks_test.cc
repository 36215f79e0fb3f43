#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/files.h"
#include "fingerprint/fingerprint.h"

namespace pedigree {
namespace {

namespace fs = std::filesystem;

Result<Fingerprint> read_file(const fs::path& path) {
  const auto source = open_file(path.string(), "model.pedigree");
  REQUIRE_MESSAGE(source.has_value(), path.string());
  return read_fingerprint(**source);
}

}  // namespace

TEST_CASE("every damaged fingerprint gets its problem, with the file and a sentence") {
  std::size_t count = 0;
  for (const auto& folder :
       fs::directory_iterator(fs::path(PEDIGREE_FIXTURES) / "attacks/fingerprint")) {
    const std::string name = folder.path().filename().string();
    const auto why = read_small_file((folder.path() / "why.md").string(), "why.md");
    REQUIRE_MESSAGE(why.has_value(), name);
    const auto result = read_file(folder.path() / "model.pedigree");
    REQUIRE_MESSAGE(!result.has_value(), name);
    CHECK_MESSAGE(why->find("Expected: `" + result.error().code + "`") != std::string::npos, name);
    CHECK_MESSAGE(result.error().file == "model.pedigree", name);
    CHECK_MESSAGE(!result.error().message.empty(), name);
    CHECK_MESSAGE(!result.error().remedy.empty(), name);
    ++count;
  }
  CHECK(count >= 30);
}

TEST_CASE("a fingerprint put together by hand after the document is read") {
  const auto result = read_file(fs::path(PEDIGREE_FIXTURES) / "corpus/fingerprint/whole");
  REQUIRE(result.has_value());
  const Block* const block = result->block("ffn.gate", 0);
  REQUIRE(block != nullptr);
  // 20000 × (1 + 2^-11) × 2^-14
  CHECK(block->values[0] == doctest::Approx(1.221299171));
  CHECK(block->steps[5] == doctest::Approx(1.220703125));
  CHECK(result->response("ffn.gate", 0)->values[0] == 2500);      // 20000 × 2^-3
  CHECK(result->response("ffn.gate", 0)->values[2] == 10240000);  // 20000 × 2^9
  CHECK(result->moments[0].largest == 2);
  CHECK(result->tokens[1].hash == 255);
}

}  // namespace pedigree
