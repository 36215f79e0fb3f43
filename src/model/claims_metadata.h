// Claims out of a weight file's own header (safetensors __metadata__).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/claims.h"

namespace pedigree {

// Adds a claim for each entry not among `claims` yet: shards repeat theirs. Keys
// nobody has told us about become Claim::Kind::other, long values are left out.
void add_metadata_claims(std::span<const std::pair<std::string, std::string>> metadata,
                         std::string_view file, std::vector<Claim>& claims);

}  // namespace pedigree
