// The sampled matrices of the subject's layers, each with the same entries of every
// candidate. Embeddings and heads stay out: merging treats vocabularies apart.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compare/joint.h"

namespace pedigree {

// The grid a stored floating type puts its values on.
struct FloatGrid {
  int precision = 24;
  int smallest_exponent = -149;
};

struct MergePart {
  std::string role = {};
  int layer = -1;
  std::vector<double> subject = {};
  std::vector<std::vector<double>> candidates = {};  // by candidate
  // Spacing of the subject's stored values at each entry: the quantiser's step
  // where they lie on a lattice, one unit in the last place elsewhere; 0 where
  // neither is known.
  std::vector<double> unit = {};
  bool lattice = false;
  std::vector<FloatGrid> grids = {};  // of the candidates' stored values

  double candidate_unit(std::size_t candidate, std::size_t entry) const;
};

// Only candidates of the subject's own shape take part; a part is made when it
// is asked for, since all of them together would take hundreds of megabytes.
class MergeParts {
 public:
  MergeParts(const Fingerprint& subject, std::span<const JointCandidate> candidates,
             bool stored_subject);

  std::size_t size() const { return parts_.size(); }
  MergePart at(std::size_t index) const;
  double part_size(std::size_t index) const;  // parameters of the whole tensor
  int part_layer(std::size_t index) const { return parts_[index]->layer; }
  const std::string& part_role(std::size_t index) const { return parts_[index]->role; }

  std::size_t candidates() const { return candidates_.size(); }
  const JointCandidate& candidate(std::size_t index) const { return *candidates_[index]; }

 private:
  bool has_same_shape(const Fingerprint& other) const;

  const Fingerprint& subject_;
  std::vector<const JointCandidate*> candidates_;
  std::vector<const Block*> parts_;
  bool stored_subject_;
};

// Do two candidates hold the same values, up to the coarser one's rounding?
bool hold_the_same(const MergeParts& parts, std::size_t a, std::size_t b);

// What the values of a sketch keep of a block's stored type.
FloatGrid grid_of(const Block& block, bool stored);

}  // namespace pedigree
