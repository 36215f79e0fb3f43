// A tensor's name without what wrappers and task heads put around it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pedigree {

struct CoreName {
  std::string core = {};          // "layers.{}.mlp.up_proj.weight"
  std::vector<int> numbers = {};  // what stood where {} stands
  std::string stripped = {};      // "module.model.": in the order the parts stood
};

// Parts that wrap a model (module., _orig_mod., base_model., model. …) are
// taken off, at the front or, for those that also stand inside, anywhere. Parts
// that are numbers of at most five digits become {}.
CoreName core_name(std::string_view name);

// What was stripped from a stored name beyond what the family's own name loses:
// "module." for module.model.norm.weight against model.norm.weight.
std::string wrapper_of(const CoreName& stored, const CoreName& family_name);

}  // namespace pedigree
