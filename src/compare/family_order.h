// Which end of a family is the old one, as far as known, and how to draw it.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/family_tree.h"

namespace pedigree {

struct FamilyOrder {
  // Models of which every known direction points away: any of them may be the
  // oldest here. More than one where directions are not known; two that both are
  // where a merge ties unrelated trees together.
  std::vector<std::size_t> roots = {};
  // Where drawing begins: one for each tree that is left when merges are cut, the
  // most connected of its possible roots. Says nothing about age.
  std::vector<std::size_t> drawn = {};
};

// `directions` are those of family.links; links to joint parents are known as such.
FamilyOrder order_of(const Family& family, const std::vector<LinkDirection>& directions);

}  // namespace pedigree
