// Any bytes become claims or problems whose lines lie in the text; a refused
// recipe gives no claims.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "model/card.h"
#include "model/merge_recipe.h"

namespace {

using namespace pedigree;

void hold(const std::vector<Claim>& claims, const std::vector<Problem>& problems, unsigned lines) {
  for (const Claim& claim : claims) {
    check(claim.line >= 1 && claim.line <= lines, "a claim's line outside the text");
    check(is_valid_utf8(claim.value) && is_valid_utf8(claim.key), "a claim that is not UTF-8");
  }
  for (const Problem& problem : problems) {
    check(find_problem_kind(problem.code) != nullptr, "a code nobody listed");
    check(problem.line.value_or(1) >= 1 && problem.line.value_or(1) <= lines,
          "a problem's line outside the text");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  const unsigned lines = line_of(text, text.size());
  const CardReading card = read_card(text, "README.md");
  hold(card.claims, card.problems, lines);
  const RecipeReading recipe = read_merge_recipe(text, "mergekit_config.yml");
  hold(recipe.claims, recipe.problems, lines);
  return 0;
}
