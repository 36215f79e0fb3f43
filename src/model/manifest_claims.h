// Which keys of which JSON side file become claims.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "model/claims.h"

namespace pedigree {

// A key's path, where dots step into objects, and what it claims.
using ClaimedKey = std::pair<std::string_view, Claim::Kind>;

// A claim for each key that holds a scalar other than null and "".
void add_json_claims(const JsonValue& document, std::span<const ClaimedKey> keys,
                     std::string_view file, std::vector<Claim>& claims);

void add_config_claims(const JsonValue& config, std::string_view file, std::vector<Claim>& claims);
void add_generation_claims(const JsonValue& config, std::string_view file,
                           std::vector<Claim>& claims);
void add_quantizer_claims(const JsonValue& config, std::string_view file,
                          std::vector<Claim>& claims);
void add_tokenizer_config_claims(const JsonValue& config, std::string_view file,
                                 std::vector<Claim>& claims);

}  // namespace pedigree
