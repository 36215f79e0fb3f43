// Batch norms of a net by their tensors' names: means and variances gathered in training, and
// mostly gains and shifts that were learnt.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "model/model.h"

namespace pedigree {

struct BatchNorm {
  std::size_t mean = 0;  // indices into Model::tensors
  std::size_t variance = 0;
  std::optional<std::size_t> gain = {};  // 1 where absent
  std::optional<std::size_t> shift = {};
  std::uint64_t size = 0;
};

// As PyTorch, Keras and TensorFlow name them, in the order of the variances' names.
std::vector<BatchNorm> batch_norms(const Model& net);

// Its numbers, one a channel.
struct NormValues {
  std::vector<float> mean = {};
  std::vector<float> variance = {};
  std::vector<float> gain = {};
  std::vector<float> shift = {};

  // What it multiplies a channel with.
  double factor(std::size_t channel, double epsilon) const;
};

// Problems are those of reading.
Result<NormValues> norm_values(const Model& net, const BatchNorm& norm);

}  // namespace pedigree
