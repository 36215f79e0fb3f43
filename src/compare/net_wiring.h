// Which kernel of a net may read which, where nobody says: by sizes and order alone.
//
// What is offered here is a closed set of candidates; which of them holds, the search for re-dealt
// channels finds by content and pays for (net_redealing.h). A kernel whose producer is not among
// the candidates is only a kernel that cannot be solved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "compare/net_tensors.h"

namespace pedigree {

struct WiredKernel {
  const NetPair* pair = nullptr;
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  std::size_t taps = 1;  // values of one output for one input
  bool outputs_last = false;
  // No other kernel has as many outputs as this has inputs: pixels, mel bins, tokens.
  bool is_input = false;
  // No other kernel reads as many: classes, anchors.
  bool is_head = false;
  // Kernels before it whose channels it may read, and behind it that may read its own; nearest
  // first.
  std::vector<std::size_t> producers = {};
  std::vector<std::size_t> readers = {};

  std::size_t place(std::size_t output, std::size_t input, std::size_t tap) const {
    return outputs_last ? (tap * inputs + input) * outputs + output
                        : (output * inputs + input) * taps + tap;
  }
};

struct Wiring {
  std::vector<WiredKernel> kernels = {};  // producers before readers, heads last
  // Every matrix of both sides is among them and has a place to read from.
  bool complete = false;
};

// Kernels in the natural order of names, moved behind what they can read.
Wiring wiring_of(const Model& subject, const NetPairs& pairs);

}  // namespace pedigree
