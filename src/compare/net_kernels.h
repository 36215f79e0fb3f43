// Which tensors of a net without roles can bear witness, and as what rows.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>
#include <vector>

#include "compare/net_tensors.h"
#include "compare/witness.h"

namespace pedigree {

// Which axes of a kernel number its outputs and inputs.
struct KernelAxes {
  bool outputs_last = false;
  std::uint64_t outputs = 0;
  std::uint64_t inputs = 0;
};

// Sizes of the vectors beside the kernels, which tell how kernels lie.
std::set<std::uint64_t> vector_sizes(const NetPairs& pairs);
KernelAxes axes_of(const NetPair& pair, const std::set<std::uint64_t>& vectors);
bool may_be_recurrent(std::string_view name);

// A hidden kernel: up to 256 of its channels, evenly spread, × what each of them reads.
struct Kernel {
  std::uint64_t channels = 0;
  std::uint64_t inputs = 0;
  Matrix mine = {};
  Matrix theirs = {};

  double cosine() const;  // median over channels
};

// Kernels that differ between the sides and whose channels something else reads. Not among
// them: the last layer, tables and masks (equal, sparse or of one sign), kernels over one
// channel, and those whose two axes may be one and the same numbering (statistics.md
// section 2): square ones and recurrent ones. Gates of a recurrent layer make one row a unit.
std::vector<Kernel> hidden_kernels(const Model& subject, const NetPairs& pairs);

// By number of channels, since kernels joined by skips number them alike. In an order in which no
// group's kernel reads channels of a later one, nor of its own: given the numberings before, a
// group's is still as likely as any other, so matches pool as those of independent witnesses
// (E[∏(Fᵢ)ⱼᵢ] ≤ 1, statistics.md section 3). What reads a later group is left out.
std::vector<std::vector<const Kernel*>> ordered_groups(const std::vector<Kernel>& kernels);

Witness witness_of(const std::vector<const Kernel*>& group);

bool is_informative(const NetPair& pair);  // more than 16 distinct values
bool are_finite(const NetPair& pair);
// Equal in both, over several channels and not computed: what training leaves when it is kept
// from a part of a net.
std::vector<const NetPair*> frozen_kernels(const NetPairs& pairs);
// A matrix that is much alike in both and no table: something is shared, whatever the channels say.
bool is_alike(const NetPair& pair);
double relative_delta(const NetPair& pair);

}  // namespace pedigree
