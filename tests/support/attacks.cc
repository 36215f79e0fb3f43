#include "tests/support/attacks.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/files.h"

namespace pedigree {
namespace {

std::string expected_code(const std::string& why) {
  const auto text = read_small_file(why, "why.md");
  if (!text) return "no why.md";
  constexpr std::string_view mark = "Expected: `";
  const std::size_t begin = text->find(mark);
  if (begin == std::string::npos) return "no expected code";
  const std::size_t end = text->find('`', begin + mark.size());
  return text->substr(begin + mark.size(), end - begin - mark.size());
}

}  // namespace

std::vector<Attack> attacks_in(const std::string& folder) {
  std::vector<Attack> attacks;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    attacks.push_back({.name = entry.path().filename().string(),
                       .path = entry.path().string(),
                       .expected = expected_code((entry.path() / "why.md").string())});
  }
  std::ranges::sort(attacks, {}, &Attack::name);
  return attacks;
}

}  // namespace pedigree
