#include "model/families_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace pedigree {
namespace {

// "encoder" and "decoder" are not here: they tell two stacks of one model apart.
constexpr std::array<std::string_view, 27> front_wrappers = {
    "_checkpoint_wrapped_module",
    "_forward_module",
    "_fsdp_wrapped_module",
    "_orig_mod",
    "backbone",
    "base_model",
    "bert",
    "deberta",
    "dinov2",
    "distilbert",
    "electra",
    "ema_model",
    "gpt_neox",
    "language_model",
    "llm",
    "model",
    "module",
    "mpnet",
    "net",
    "roberta",
    "state_dict",
    "student",
    "teacher",
    "text_model",
    "thinker",
    "transformer",
    "vit",
};

constexpr std::array<std::string_view, 4> inner_wrappers = {
    "_checkpoint_wrapped_module",
    "_fsdp_wrapped_module",
    "_orig_mod",
    "base_layer",
};

// -1 when the part is not a number of one to five digits.
int number_of(std::string_view part) {
  if (part.empty() || part.size() > 5) return -1;
  if (!std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; })) return -1;
  int value = -1;
  std::from_chars(part.data(), part.data() + part.size(), value);
  return value;
}

}  // namespace

CoreName core_name(std::string_view name) {
  CoreName result;
  bool at_front = true;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    const bool last = end == name.size();
    begin = end + 1;
    const bool wraps = (at_front && std::ranges::binary_search(front_wrappers, part)) ||
                       std::ranges::binary_search(inner_wrappers, part);
    if (wraps && !last) {
      result.stripped.append(part).push_back('.');
      continue;
    }
    at_front = false;
    if (!result.core.empty()) result.core += '.';
    const int number = number_of(part);
    if (number >= 0) result.numbers.push_back(number);
    result.core += number >= 0 ? std::string_view("{}") : part;
  }
  return result;
}

std::string wrapper_of(const CoreName& stored, const CoreName& family_name) {
  std::string rest = ".";
  rest += stored.stripped;
  for (std::string_view own = family_name.stripped; !own.empty();) {
    // From the back, because a family's own parts stand innermost.
    const std::size_t begin = own.find_last_of('.', own.size() - 2) + 1;
    std::string part = ".";
    part += own.substr(begin);
    own = own.substr(0, begin);
    const std::size_t at = rest.rfind(part);
    if (at != std::string::npos) rest.erase(at + 1, part.size() - 1);
  }
  return rest.substr(1);
}

}  // namespace pedigree
