// Fills in an Architecture once the roles are known.
#pragma once

#include "model/config_facts.h"
#include "model/families_match.h"
#include "model/model.h"
#include "model/placement.h"

namespace pedigree {

// Reads info.canonical and the config; `family` is null when roles came from
// shapes, and `placement` then says which families' structures the shapes fit, if any do.
// Sizes come from tensors; the config gives what tensors cannot show.
void describe_architecture(ModelInfo& info, const ConfigFacts& config, const Family* family,
                           const std::optional<Placement>& placement = {});

// "4 × {attn.norm 96 · attn.q 96×96 · …}", runs of equal layers joined by " + ".
std::string layer_template_of(const std::vector<CanonicalTensor>& canonical);

}  // namespace pedigree
