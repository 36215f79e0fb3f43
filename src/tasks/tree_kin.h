// The pair tests behind a tree, and what they cost: samples for every pair,
// whole weights only where the samples leave two families apart.
#pragma once

#include <vector>

#include "compare/family.h"
#include "tasks/tree_models.h"

namespace pedigree {

// What one pair test found, numbers as in TreeModels.
struct TestedPair {
  std::size_t first = 0;
  std::size_t second = 0;  // the subject
  Comparison comparison = {};
};

struct Kin {
  KinGraph graph = {};
  // For every two models the last test that was made of them or of their families.
  std::vector<TestedPair> sketches = {};
  std::vector<TestedPair> deep = {};

  const KinPair& pair(std::size_t a, std::size_t b) const { return graph.pairs[place_of(a, b)]; }
  KinPair& pair(std::size_t a, std::size_t b) { return graph.pairs[place_of(a, b)]; }
  const TestedPair& sketch(std::size_t a, std::size_t b) const { return sketches[place_of(a, b)]; }

  // The test of whole weights that was made of two models; null when there was none.
  const TestedPair* find_deep(std::size_t a, std::size_t b) const;

 private:
  std::size_t place_of(std::size_t a, std::size_t b) const;
};

struct KinOptions {
  bool quick = false;
  std::uint64_t alternatives = 1;  // pairs in this run: p pays for them
  RunOptions run = {};
};

// Every pair by its samples; then the deep stages, for pairs of families that the
// samples left apart and for models whose place in their family they left open
// (tree_places.h). The number of deep tests grows with the number of models, not of
// pairs: at most `most_family_tests` and `most_place_tests` for each.
inline constexpr std::size_t most_family_tests = 4;
Result<Kin> kin_of(TreeModels& models, const KinOptions& options);

CompareOptions compare_options(const KinOptions& options, bool quick, unsigned threads);

// Puts what all stages said of a pair in the place of what its samples said.
void take_deep_of(const TreeModels& models, Kin& kin, const TestedPair& pair);

// All stages on a pair of models, whole weights where they are at hand.
Comparison compared_deeply(TreeModels& models, const TestedPair& pair, const KinOptions& options);

}  // namespace pedigree
