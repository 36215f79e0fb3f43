// Which end of a family is the old one, as far as known, and how to draw it.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/family_tree.h"

namespace pedigree {

// Two models that both moved away from a third (third_model.h): neither is an
// ancestor of the other.
struct MovedApart {
  std::size_t third = 0;
  std::size_t a = 0;
  std::size_t b = 0;
};

// Among a model's neighbours by training.
std::vector<MovedApart> moved_apart(const KinGraph& graph, const ConnectedFamily& family);

struct FamilyOrder {
  // Models of which every known direction points away, and from which no two that
  // moved apart stand in one line: any of them may be the oldest here. More than one where
  // directions are not known; two that both are where a merge ties unrelated trees together.
  std::vector<std::size_t> roots = {};
  // Where drawing begins: one for each tree that is left when merges are cut, the
  // most connected of its possible roots. Says nothing about age.
  std::vector<std::size_t> drawn = {};
};

// `directions` are those of family.links; links to joint parents are known as such.
FamilyOrder order_of(const ConnectedFamily& family, const std::vector<LinkDirection>& directions,
                     const std::vector<MovedApart>& apart = {});

}  // namespace pedigree
