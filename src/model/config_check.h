// Where config.json contradicts the tensors beside it. What tensors cannot show (the
// activation, the context) is not judged.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/config_facts.h"
#include "model/families_match.h"
#include "model/model.h"

namespace pedigree {

// "layers: 32 declared, 30 found", one text for each fact. `info` is described already.
std::vector<std::string> contradictions(const ModelInfo& info, const ConfigFacts& config);

// The declared model_type, where another family's names and shapes explain the tensors
// better; "" otherwise. `ranked` is rank_families', best first.
std::string type_contradiction(std::span<const FamilyMatch> ranked, const ConfigFacts& config);

}  // namespace pedigree
