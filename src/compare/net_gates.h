// Recurrent nets that are the same but for how frameworks lay out their gates.
//
// PyTorch stores the gates of an LSTM as i, f, g, o and those of a GRU as r, z, n, each direction
// and bias a tensor of its own (torch.nn.LSTM, torch.nn.GRU). ONNX stores i, o, f, c and z, r, h,
// directions stacked, both biases behind each other (operators LSTM and GRU). Keras stores
// i, f, c, o and z, r, h, transposed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/model.h"

namespace pedigree {

struct EqualGates {
  std::size_t tensors = 0;    // of the subject, directions and biases apart
  std::size_t reordered = 0;  // whose gates stand in another order
  std::uint64_t values = 0;
  std::vector<std::string> transforms = {};  // "transpose", "gate-order", "stack-directions"
};

// Every floating tensor of both, but for zeros, has its equal in the
// other, value for value, under a closed set of layouts; and some needed one. Nothing where no side
// holds a recurrent layer, or they are larger than what pair_tensors reads.
Result<std::optional<EqualGates>> equal_but_for_gates(const Model& subject, const Model& base);

}  // namespace pedigree
