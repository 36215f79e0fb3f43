// Which tensors of a net without roles can bear witness, and as what rows.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "compare/net_tensors.h"
#include "compare/witness.h"

namespace pedigree {

// A hidden kernel: up to 256 of its channels, evenly spread, × what each of them reads.
struct Kernel {
  std::uint64_t channels = 0;
  Matrix mine = {};
  Matrix theirs = {};

  double cosine() const;  // median over channels
};

// Kernels that differ between the sides and whose channels something else reads. Not among
// them: the last layer, tables and masks (equal, sparse or of one sign), kernels over one
// channel, and those whose two axes may be one and the same numbering (statistics.md
// section 2): square ones and recurrent ones. Gates of a recurrent layer make one row a unit.
std::vector<Kernel> hidden_kernels(const Model& subject, const NetPairs& pairs);

// By number of channels: kernels joined by skips number them alike.
std::map<std::uint64_t, std::vector<const Kernel*>> grouped(const std::vector<Kernel>& kernels);

Witness witness_of(const std::vector<const Kernel*>& group);

bool is_informative(const NetPair& pair);  // more than 16 distinct values
bool are_finite(const NetPair& pair);
// Equal in both, over several channels and not computed: what training leaves when it is kept
// from a part of a net.
std::vector<const NetPair*> frozen_kernels(const NetPairs& pairs);
bool is_gain(const TensorEntry& entry, const NetPair& pair);
double relative_delta(const NetPair& pair);

}  // namespace pedigree
