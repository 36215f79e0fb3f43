// YAML from strangers as a flat list of scalars, each with its path and line.
//
// yaml-cpp's events are used and not its tree, which resolves aliases without a
// word. Anchors, aliases, tags, mappings as keys and deep nesting are refused:
// model cards do not need them, and attacks do.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"

namespace pedigree {

struct YamlScalar {
  std::string path = {};   // "base_model[1]", "slices[0].sources[1].model"
  std::string top = {};    // the first key of the path
  std::string key = {};    // the last key of the path, without an index
  std::string value = {};  // unquoted, unescaped; "" for null
  bool null = false;       // no value, ~ or null
  unsigned line = 0;       // 1-based, in the file
};

struct YamlDocument {
  std::vector<YamlScalar> scalars = {};
  std::vector<Problem> problems = {};  // duplicate keys; both entries are listed
};

struct YamlLimits {
  std::size_t bytes = std::size_t{1} << 20U;
  std::size_t depth = 32;
  std::size_t documents = 1;
};

struct YamlPlace {
  std::string_view file = {};
  std::string_view code = "card-unparsed";  // of the problem when the text is refused
  unsigned first_line = 1;                  // of `text` within the file
};

// Every scalar of `text`, whose root must be a mapping. A Problem names the line
// at which the text was refused; nothing of a refused text is returned.
Result<YamlDocument> flatten_yaml(std::string_view text, const YamlPlace& place,
                                  const YamlLimits& limits = {});

}  // namespace pedigree
