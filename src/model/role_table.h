// The first tensor of each role, lowest layer first: whose shape stands for the model's.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace pedigree {

class RoleTable {
 public:
  // Refers to `canonical`, which has to outlive it.
  explicit RoleTable(const std::vector<CanonicalTensor>& canonical) {
    for (const CanonicalTensor& tensor : canonical) first_.try_emplace(tensor.role, &tensor);
  }

  bool has(std::string_view role) const { return first_.contains(role); }
  std::uint64_t rows(std::string_view role) const {
    const auto found = first_.find(role);
    return found == first_.end() ? 0 : found->second->rows;
  }
  std::uint64_t cols(std::string_view role) const {
    const auto found = first_.find(role);
    return found == first_.end() ? 0 : found->second->cols;
  }

 private:
  std::map<std::string_view, const CanonicalTensor*> first_;
};

}  // namespace pedigree
