// What a model is built like when none of its weights are at hand: from the names an index
// lists and from its config. All of it is the publisher's word.
#pragma once

#include <span>
#include <string>

#include "model/config_facts.h"
#include "model/model.h"

namespace pedigree {

// What files beside the weights say of tensors that are not there.
struct ListedTensors {
  std::string file = {};  // the index or list, relative; "" when there is none
  std::vector<std::string> names = {};
  std::optional<std::uint64_t> bytes = {};  // of all of them, as the index claims
};

// Fills info.architecture and adds what contradicts itself to info.problems. Does nothing
// for a model that has tensors, or neither names nor a config.
void describe_from_metadata(ModelInfo& info, const ConfigFacts& config,
                            const ListedTensors& listed);

}  // namespace pedigree
