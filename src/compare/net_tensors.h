// Tensors of two nets of no known architecture set against each other: by name, else by
// content, else by shape, with the order of axes in which one must be read to be like the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/model.h"

namespace pedigree {

// Read whole, in the axes of the subject.
struct NetPair {
  std::size_t subject = 0;  // index into Model::tensors
  std::size_t base = 0;
  std::vector<std::uint64_t> shape = {};
  std::vector<float> mine = {};
  std::vector<float> theirs = {};
  bool turned = false;  // axes stand in another order in the base
  bool equal = false;   // every value, bit for bit but for the sign of zero
};

struct NetPairs {
  std::vector<NetPair> pairs = {};  // in the subject's order
  // Tensors of more than a few values without a counterpart here: integers, what is too large,
  // what has no decoder.
  std::size_t mine_alone = 0;
  std::size_t theirs_alone = 0;
  std::uint64_t parameters = 0;  // of the subject
  std::uint64_t their_parameters = 0;
  std::uint64_t paired = 0;  // parameters in pairs
  bool renamed = false;
};

// Pairs floating tensors only. Reads both models whole, a pair at a time, and keeps both in memory:
// tensors of more than 2²⁴ values are left alone, and none is paired beyond 2²⁶ in all.
Result<NetPairs> pair_tensors(const Model& subject, const Model& base);

}  // namespace pedigree
