// The names of many families in the form stored names are looked up by.
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
  const CoreName* name = nullptr;  // the family's own
};

struct NameMatches {
  std::vector<NamedMatch> tensors = {};
  std::vector<std::size_t> buffers = {};
};

class SpellingIndex {
 public:
  // Of families that live as long as the index.
  explicit SpellingIndex(std::span<const Family> families);

  // For each family whose names are which of its own, layers of later stacks numbered behind
  // the first's.
  std::vector<NameMatches> match(std::span<const CoreName> names) const;

 private:
  // What a number in a name stands for, or has to be.
  enum class Slot { layer, expert, fixed };
  struct Number {
    Slot slot = Slot::fixed;
    int value = 0;
  };
  struct Pattern {
    std::size_t family = 0;
    CoreName name = {};
    std::vector<Number> numbers = {};
    const FamilyTensor* tensor = nullptr;  // null for an ignorable buffer
  };

  static std::vector<Number> numbers_of(const std::string& name);
  static bool fits(const Pattern& pattern, const CoreName& name);
  static void add_match(const Pattern& pattern, const CoreName& name, std::size_t index,
                        NameMatches& result);
  void add(std::size_t family, const std::string& name, const FamilyTensor* tensor);

  std::size_t families_ = 0;
  std::unordered_map<std::string, std::vector<Pattern>> patterns_;  // by core, families in order
};

}  // namespace pedigree
