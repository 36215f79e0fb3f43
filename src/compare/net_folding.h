// Batch norms multiplied into the kernels before them, as exporters do: a net that has norms
// against one that has none of them left.
//
//   kernel' = kernel × gain / √(variance + ε) per output, bias' = (bias − mean) × the same + shift
//
// Which norm stands behind which kernel no name need tell. A kernel and a norm belong together
// where their product is, to the last digits, a kernel of the other side: no scale is fitted, so
// strangers' kernels would have to agree value by value. That chance is counted and paid for
// with every kernel, norm and ε that was tried (docs/decisions/0019-nets.md).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"

namespace pedigree {

// Two nets as they compute, ready to be set against each other.
struct ComputedNets {
  // In place of the nets they were made of; null where one is compared as it is stored. Those
  // they were made of are behind `kept`.
  std::unique_ptr<Model> subject = {};
  std::unique_ptr<Model> base = {};
  std::vector<std::unique_ptr<Model>> kept = {};
  // Tensors of the two that are known to belong together, as {subject's, base's}.
  std::vector<std::pair<std::size_t, std::size_t>> pairs = {};
  std::vector<std::string> transforms = {};  // "weight-norm", "bn-fold"
  std::size_t agreeing = 0;  // computed tensors equal to the other's but for rounding
};

// Values that agree but for rounding are taken from the side that stores them.
Result<ComputedNets> computed_nets(const Model& subject, const Model& base);

}  // namespace pedigree
