// Picks the file a model's vocabulary is read from.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "model/claims.h"
#include "model/layout.h"
#include "model/tokenizer.h"

namespace pedigree {

struct TokenizerOpening {
  std::optional<Tokenizer> tokenizer = {};
  std::vector<Claim> claims = {};
  std::vector<Problem> problems = {};
};

TokenizerOpening open_tokenizer(const ModelLayout& layout, std::string_view folder);

}  // namespace pedigree
