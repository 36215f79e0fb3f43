#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/files.h"
#include "formats/formats.h"

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

}  // namespace

TEST_CASE("every attack on safetensors gets the problem its why.md names, with a place") {
  std::size_t count = 0;
  for (const auto& folder :
       fs::directory_iterator(fs::path(PEDIGREE_FIXTURES) / "attacks/safetensors")) {
    const std::string name = folder.path().filename().string();
    const std::string expected = expected_code(folder.path() / "why.md");
    const auto source =
        open_file((folder.path() / "model.safetensors").string(), "model.safetensors");
    REQUIRE_MESSAGE(source.has_value(), name);
    const auto file = read_weights(**source);
    CHECK_MESSAGE((file ? "read" : file.error().code) == expected, name);
    CHECK_MESSAGE((file || file.error().offset.has_value()), name);
    ++count;
  }
  CHECK(count >= 30);
}

}  // namespace pedigree
