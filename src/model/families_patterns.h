// A family's names in the form stored names are looked up by.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/families.h"
#include "model/families_match.h"
#include "model/families_names.h"

namespace pedigree {

struct NamedMatch {
  MatchedTensor matched = {};
  std::string wrapper = {};
  std::size_t frequency = 0;  // of the wrapper
};

struct NameMatches {
  std::vector<NamedMatch> tensors = {};
  std::vector<std::size_t> buffers = {};
};

class FamilyPatterns {
 public:
  explicit FamilyPatterns(const Family& family);

  // Whose names are which of the family's, layers of later stacks numbered behind the first.
  NameMatches match(std::span<const CoreName> names) const;

 private:
  // What a number in a name stands for, or has to be.
  enum class Slot { layer, expert, fixed };
  struct Number {
    Slot slot = Slot::fixed;
    int value = 0;
  };
  struct Pattern {
    CoreName name = {};
    std::vector<Number> numbers = {};
    const FamilyTensor* tensor = nullptr;  // null for an ignorable buffer
  };

  static std::vector<Number> numbers_of(const std::string& name);
  static bool fits(const Pattern& pattern, const CoreName& name);
  void add(const std::string& name, const FamilyTensor* tensor);
  void add_match(const Pattern& pattern, const CoreName& name, std::size_t index,
                 NameMatches& result) const;
  const Pattern* find(const CoreName& name) const;

  // By core; one core may have several patterns, with other fixed numbers.
  std::unordered_map<std::string, std::vector<Pattern>> patterns_;
};

// Made once for each family, which has to live as long as the program.
const FamilyPatterns& patterns_of(const Family& family);

}  // namespace pedigree
