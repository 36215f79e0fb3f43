// Adapters: what their configuration claims, and which tensor names give one away.
#pragma once

#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/claims.h"

namespace pedigree {

// Is this the name of an adapter's own matrix (LoRA and relatives), whichever
// trainer wrote it? Copies of base modules inside an adapter are not.
bool is_adapter_tensor(std::string_view name);

// Claims of a parsed adapter_config.json.
void add_adapter_claims(const JsonValue& config, std::string_view file, std::vector<Claim>& claims);

}  // namespace pedigree
