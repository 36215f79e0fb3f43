#include "model/families_patterns.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

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

FamilyPatterns::FamilyPatterns(const Family& family) {
  for (const FamilyTensor& tensor : family.tensors) add(tensor.name, &tensor);
  for (const std::string& name : family.ignorable) add(name, nullptr);
}

std::vector<FamilyPatterns::Number> FamilyPatterns::numbers_of(const std::string& name) {
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

void FamilyPatterns::add(const std::string& name, const FamilyTensor* tensor) {
  Pattern pattern = {.name = core_of(name), .numbers = numbers_of(name), .tensor = tensor};
  patterns_[pattern.name.core].push_back(std::move(pattern));
}

bool FamilyPatterns::fits(const Pattern& pattern, const CoreName& name) {
  if (pattern.numbers.size() != name.numbers.size()) return false;
  for (std::size_t i = 0; i < name.numbers.size(); ++i) {
    const Number& number = pattern.numbers[i];
    if (number.slot == Slot::fixed && number.value != name.numbers[i]) return false;
  }
  return true;
}

const FamilyPatterns::Pattern* FamilyPatterns::find(const CoreName& name) const {
  const auto found = patterns_.find(name.core);
  if (found == patterns_.end()) return nullptr;
  const auto pattern = std::ranges::find_if(
      found->second, [&](const Pattern& candidate) { return fits(candidate, name); });
  return pattern == found->second.end() ? nullptr : &*pattern;
}

void FamilyPatterns::add_match(const Pattern& pattern, const CoreName& name, std::size_t index,
                               NameMatches& result) const {
  if (pattern.tensor == nullptr) {
    result.buffers.push_back(index);
    return;
  }
  MatchedTensor matched = {.tensor = index, .as = pattern.tensor};
  for (std::size_t i = 0; i < name.numbers.size(); ++i) {
    if (pattern.numbers[i].slot == Slot::layer) matched.layer = name.numbers[i];
    if (pattern.numbers[i].slot == Slot::expert) matched.expert = name.numbers[i];
  }
  result.tensors.push_back({.matched = matched, .wrapper = wrapper_of(name, pattern.name)});
}

NameMatches FamilyPatterns::match(std::span<const CoreName> names) const {
  NameMatches result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const Pattern* pattern = find(names[i])) add_match(*pattern, names[i], i, result);
  }
  number_on(result.tensors);
  return result;
}

const FamilyPatterns& patterns_of(const Family& family) {
  static std::mutex guard;
  static std::map<const Family*, std::unique_ptr<FamilyPatterns>> made;
  const std::scoped_lock lock(guard);
  std::unique_ptr<FamilyPatterns>& patterns = made[&family];
  if (patterns == nullptr) patterns = std::make_unique<FamilyPatterns>(family);
  return *patterns;
}

}  // namespace pedigree
