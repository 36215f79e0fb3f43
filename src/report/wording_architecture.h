// What a model is built like, and what follows where two are built otherwise, in words.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/wording.h"

namespace pedigree {

std::vector<LabelledLine> architecture_lines(const ModelInfo& info);

// What the files beside absent weights describe: "; by its config of LLaMA architecture, …".
std::string what_it_would_be(const ModelInfo& info);

// For weights that would have been taken over, by a field of architecture_differences; "" where
// there is nothing to say.
std::string consequence_of(std::string_view field);
std::string consequences_in_words(
    const std::vector<std::pair<std::string, std::string>>& differences);

}  // namespace pedigree
