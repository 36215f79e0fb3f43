#include "model/families_patterns.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

namespace pedigree {
namespace {

constexpr std::string_view layer_slot = "{L}";
constexpr std::string_view expert_slot = "{E}";

CoreName core_of(std::string name) {
  for (const std::string_view slot : {layer_slot, expert_slot}) {
    const std::size_t at = name.find(slot);
    if (at != std::string::npos) name.replace(at, slot.size(), "0");
  }
  return core_name(name);
}

// Later stacks go on where the first ends, whatever their own numbers are.
void number_on(std::vector<NamedMatch>& matches) {
  std::map<int, int> layers;  // of each stack
  for (const NamedMatch& match : matches) {
    if (!match.matched.as->in_layer) continue;
    int& count = layers[match.matched.as->stack];
    count = std::max(count, match.matched.layer + 1);
  }
  for (NamedMatch& match : matches) {
    if (!match.matched.as->in_layer) continue;
    for (int before = 0; before < match.matched.as->stack; ++before) {
      match.matched.layer += layers[before];
    }
  }
}

}  // namespace

SpellingIndex::SpellingIndex(std::span<const Family> families) : families_(families.size()) {
  for (std::size_t i = 0; i < families.size(); ++i) {
    for (const FamilyTensor& tensor : families[i].tensors) add(i, tensor.name, &tensor);
    for (const std::string& name : families[i].ignorable) add(i, name, nullptr);
  }
}

std::vector<SpellingIndex::Number> SpellingIndex::numbers_of(const std::string& name) {
  std::vector<Number> numbers;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    const std::string_view part = std::string_view(name).substr(begin, end - begin);
    begin = end + 1;
    Number number;
    if (part == layer_slot || part == expert_slot) {
      numbers.push_back({.slot = part == layer_slot ? Slot::layer : Slot::expert});
    } else if (const auto [stop, error] =
                   std::from_chars(part.data(), part.data() + part.size(), number.value);
               error == std::errc() && stop == part.data() + part.size()) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

void SpellingIndex::add(std::size_t family, const std::string& name, const FamilyTensor* tensor) {
  Pattern pattern = {
      .family = family, .name = core_of(name), .numbers = numbers_of(name), .tensor = tensor};
  std::vector<Pattern>& same = patterns_[pattern.name.core];
  same.push_back(std::move(pattern));
}

bool SpellingIndex::fits(const Pattern& pattern, const CoreName& name) {
  if (pattern.numbers.size() != name.numbers.size()) return false;
  for (std::size_t i = 0; i < name.numbers.size(); ++i) {
    const Number& number = pattern.numbers[i];
    if (number.slot == Slot::fixed && number.value != name.numbers[i]) return false;
  }
  return true;
}

void SpellingIndex::add_match(const Pattern& pattern, const CoreName& name, std::size_t index,
                              NameMatches& result) {
  if (pattern.tensor == nullptr) {
    result.buffers.push_back(index);
    return;
  }
  MatchedTensor matched = {.tensor = index, .as = pattern.tensor};
  for (std::size_t i = 0; i < name.numbers.size(); ++i) {
    if (pattern.numbers[i].slot == Slot::layer) matched.layer = name.numbers[i];
    if (pattern.numbers[i].slot == Slot::expert) matched.expert = name.numbers[i];
  }
  result.tensors.push_back({.matched = matched, .name = &pattern.name});
}

std::vector<NameMatches> SpellingIndex::match(std::span<const CoreName> names) const {
  std::vector<NameMatches> result(families_);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = patterns_.find(names[i].core);
    if (found == patterns_.end()) continue;
    std::size_t last = families_;  // a name is one tensor of a family, not two
    for (const Pattern& pattern : found->second) {
      if (pattern.family == last || !fits(pattern, names[i])) continue;
      last = pattern.family;
      add_match(pattern, names[i], i, result[last]);
    }
  }
  for (NameMatches& matches : result) number_on(matches.tensors);
  return result;
}

}  // namespace pedigree
