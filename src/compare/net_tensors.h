// Tensors of two nets of no known architecture set against each other: by name, else by
// content, else by shape, with the order of axes in which one must be read to be like the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
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

// Can it be paired: floats that are decoded, and not too many of them?
bool is_net_tensor(const TensorEntry& entry);

// All values in stored order. Problems are those of reading.
Result<std::vector<float>> net_values(const Model& model, std::size_t tensor);

// Pairs floating tensors only. Reads both models whole, a pair at a time, and keeps both in memory:
// tensors of more than 2²⁴ values are left alone, and none is paired beyond 2²⁶ in all.
// `known` are {subject's, base's} that are pairs whatever they are called.
Result<NetPairs> pair_tensors(const Model& subject, const Model& base,
                              const std::vector<std::pair<std::size_t, std::size_t>>& known = {});

}  // namespace pedigree
