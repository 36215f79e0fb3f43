// The folders of fixtures/attacks: each holds a file or a model with one thing
// wrong, and a why.md that says what, and which problem must come of it.
#pragma once

#include <string>
#include <vector>

namespace pedigree {

struct Attack {
  std::string name = {};      // of its folder
  std::string path = {};      // to its folder
  std::string expected = {};  // the code in the line "Expected: `code`" of why.md
};

// Every attack below `folder`, by name. Where why.md is missing or names no
// code, `expected` says so, and no code equals it.
std::vector<Attack> attacks_in(const std::string& folder);

}  // namespace pedigree
