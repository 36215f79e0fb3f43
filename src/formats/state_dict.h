// Which tensors of a pickled object are the weights, and their names.
//
// A checkpoint is a dictionary of tensors, or a dictionary of such dictionaries
// (weights, optimizer, scheduler), or a whole module. Names are the keys on the
// way, joined by dots, as a module's state_dict() would give them.
#pragma once

#include <string>
#include <vector>

#include "base/problem.h"
#include "formats/limits.h"
#include "formats/pickle.h"

namespace pedigree {

struct NamedNode {
  std::string name = {};  // valid UTF-8; bad bytes percent-escaped
  PickleRef ref = no_pickle_ref;
};

struct StateDict {
  std::vector<NamedNode> tensors = {};
  std::vector<Problem> problems = {};  // training-state-present, state-dict-choice
};

// Is this node a tensor, a NumPy array of numbers or a bare storage?
bool is_pickled_tensor(const PickleTree& tree, PickleRef ref);

// The tensors below `root`. Throws Malformed (limit-exceeded) for objects nested
// or shared beyond reason.
StateDict find_state_dict(const PickleTree& tree, PickleRef root, const Limits& limits);

}  // namespace pedigree
