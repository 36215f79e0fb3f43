// Ollama's Modelfile: what a model was made from, in the words of who made it.
//
// A text of instructions, one a line, whose values may run over several lines between
// triple quotes. Nothing in it is done: FROM and ADAPTER are claims, and where they name
// a file beside the Modelfile, that file is what a MODEL argument means. Source: Ollama's
// parser package and its documentation of the file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"

namespace pedigree {

struct ModelfileEntry {
  std::string command = {};  // in lower case: "from", "adapter", "parameter", "license", …
  std::string value = {};    // without quotes and spaces around it
  unsigned line = 0;         // 1-based, where it begins

  bool operator==(const ModelfileEntry&) const = default;
};

// A problem (modelfile-malformed) where a line begins with no known instruction or a
// quote is not closed; a Modelfile without FROM is none.
Result<std::vector<ModelfileEntry>> parse_modelfile(std::string_view text, std::string_view file);

}  // namespace pedigree
