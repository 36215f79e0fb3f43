// The tensors a family would have under a config, for where no weights are at hand: names
// from an index where there is one, sizes from the config.
#pragma once

#include <span>
#include <vector>

#include "model/config_facts.h"
#include "model/families_match.h"
#include "model/model.h"

namespace pedigree {

// What the config asks for: layers with or without experts, biases and heads as it says.
// At most as many as most_planned; a config that asks for more is cut off.
std::vector<MatchedTensor> planned_by_config(const Family& family, const ConfigFacts& config);
constexpr std::size_t most_planned = 120'000;

// Roles and sizes of matched tensors, which have no shapes; a size that the config does not
// give is 0. CanonicalTensor::tensor means nothing.
std::vector<CanonicalTensor> planned_tensors(const Family& family, const ConfigFacts& config,
                                             std::span<const MatchedTensor> matched);

}  // namespace pedigree
