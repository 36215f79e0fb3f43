// A net some of whose tensors are computed from others: the same model with those in place of
// what they were computed from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/model.h"

namespace pedigree {

struct ComputedTensor {
  std::string name = {};
  std::vector<std::uint64_t> shape = {};
  std::vector<float> values = {};
};

// Tensors and their bytes alone: no roles, files or claims. The rest of its tensors stay where
// they are, so `net` must outlive it.
std::unique_ptr<Model> with_computed(const Model& net, const std::vector<bool>& left_out,
                                     const std::vector<ComputedTensor>& made);

// The tensor of that name; the first where several have it.
std::optional<std::size_t> tensor_named(const Model& net, std::string_view name);

// Every weight that is stored as directions and lengths multiplied out; null where there is
// none, or more than a few million values.
Result<std::unique_ptr<Model>> without_weight_norms(const Model& net);

}  // namespace pedigree
