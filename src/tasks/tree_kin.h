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
};

struct KinOptions {
  bool quick = false;
  std::uint64_t alternatives = 1;  // pairs in this run: p pays for them
  RunOptions run = {};
};

// Every pair by its samples; then, family by family, the deep stages for one pair
// of each two that the samples left apart. Disguised models that this ties to a
// family get their distances to all of its members by what their neurons answer.
Result<Kin> kin_of(TreeModels& models, const KinOptions& options);

// All stages on a pair of models, whole weights where they are at hand.
Comparison compared_deeply(TreeModels& models, const TestedPair& pair, const KinOptions& options);

}  // namespace pedigree
