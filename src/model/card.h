// A model card: the YAML front matter of README.md, and merge recipes in its
// text. What it says is claimed, never believed.
#pragma once

#include <string_view>
#include <vector>

#include "base/problem.h"
#include "model/claims.h"

namespace pedigree {

struct CardReading {
  std::vector<Claim> claims = {};
  std::vector<Problem> problems = {};
};

CardReading read_card(std::string_view text, std::string_view file);

}  // namespace pedigree
