// The parents named by a mergekit recipe, whether in its own file or in a fenced
// block of a model card.
#pragma once

#include <string_view>
#include <vector>

#include "base/problem.h"
#include "model/claims.h"

namespace pedigree {

struct RecipeReading {
  std::vector<Claim> claims = {};
  std::vector<Problem> problems = {};
};

// `text` is the recipe; its first line is line `first_line` of `file`.
RecipeReading read_merge_recipe(std::string_view text, std::string_view file,
                                unsigned first_line = 1);

// Recipes inside ```yaml blocks of a card. Other blocks are left alone.
RecipeReading read_recipe_blocks(std::string_view card, std::string_view file);

}  // namespace pedigree
