// Passthrough merges: matrices taken over whole from one parent or another,
// layers perhaps in another order or more than once.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "compare/joint.h"

namespace pedigree {

// One sampled matrix or gain of the subject that carries information, and where
// a candidate holds the same values: equal, equal once rounded into the stored
// type, or within half a step of the subject's quantiser.
struct CopiedPart {
  struct Source {
    std::size_t candidate = 0;
    int layer = -1;
  };
  std::string role = {};
  int layer = -1;
  double size = 0;
  std::vector<Source> sources = {};
  Source chosen = {};

  bool is_held_by(std::size_t candidate) const;
};

struct Copies {
  std::vector<CopiedPart> parts = {};      // by (layer, role), gains behind
  bool complete = false;                   // every part has a source
  bool one_is_enough = false;              // one candidate holds them all
  std::vector<std::size_t> parents = {};   // the fewest that hold them all, largest share first
  std::vector<double> shares = {};         // by parents, of the parameters looked at
  bool moved = false;                      // a layer stands elsewhere than in its parent
  bool shared = false;                     // some part is the same in two of the parents
  bool each_gives_a_layer_matrix = false;  // that no other parent holds
};

Copies copies_of(const Fingerprint& subject, std::span<const JointCandidate> candidates);

}  // namespace pedigree
