// params.json, which stands beside consolidated weights (Meta, Mistral) where other
// models have a config.json.
#pragma once

#include <string_view>

#include "model/config_facts.h"

namespace pedigree {

// Not present where the object is somebody else's file of that name. The MLP's width,
// which Meta's files do not say, is worked out as Meta's code does.
ConfigFacts params_facts(const JsonValue& params, std::string_view file);

}  // namespace pedigree
