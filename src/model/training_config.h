// The parents that a trainer's own configuration names: axolotl's, LLaMA-Factory's, torchtune's.
#pragma once

#include <string_view>

#include "model/merge_recipe.h"

namespace pedigree {

// A file of that name that is no such configuration says nothing, and is no problem.
RecipeReading read_training_config(std::string_view text, std::string_view file);

}  // namespace pedigree
