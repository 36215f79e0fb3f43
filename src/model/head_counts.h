// How many attention heads a model has. Shapes show only heads × head size, so the
// split is the publisher's word, and that word is believed only where it explains
// every attention matrix at once.
#pragma once

#include <cstdint>

#include "model/config_facts.h"
#include "model/role_table.h"

namespace pedigree {

// All zero where nothing that was said fits the shapes.
struct HeadCounts {
  std::uint64_t heads = 0;
  std::uint64_t kv_heads = 0;
  std::uint64_t head_dim = 0;

  bool operator==(const HeadCounts&) const = default;
};

HeadCounts head_counts(const RoleTable& roles, const ConfigFacts& config);

}  // namespace pedigree
