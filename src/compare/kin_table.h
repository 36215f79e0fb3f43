// A KinGraph with its pairs at hand by their two numbers, and what three models
// say about each other.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/family_tree.h"

namespace pedigree {

class KinTable {
 public:
  explicit KinTable(const KinGraph& graph);

  const KinPair* find(std::size_t a, std::size_t b) const;  // null when not measured
  bool one_chart(std::size_t a, std::size_t b) const;

  // Does `far` carry what `near` changed since `from`? In every part that `near`
  // moved, the component of far − from along near − from is about as long as
  // near − from: 1 on a path from–near–far, 0 for independent siblings; measured
  // 0.9 to 1.1 on paths, and 1.5 to 12 for models that only went the same way
  // further. The head drifts in every training and is not asked. One chart only.
  bool carries(std::size_t from, std::size_t near, std::size_t far) const;

  // Cosine of the ways from `at` to `a` and to `b`; 0 where it is not defined. One chart only.
  double cosine(std::size_t at, std::size_t a, std::size_t b) const;

  // Sampled rows that `a` and `b` hold alike while `other` holds neither's. One chart only.
  std::size_t rows_alike_without(std::size_t a, std::size_t b, std::size_t other) const;

  // Is none of the three on the way between the other two? Each two of them hold
  // rows alike that the third does not: they meet in a fourth model.
  bool meet_elsewhere(std::size_t a, std::size_t b, std::size_t c) const;

 private:
  const KinGraph& graph_;
  std::vector<std::size_t> places_;  // of each pair in graph_.pairs, or npos
};

}  // namespace pedigree
