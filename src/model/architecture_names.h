// Which names a model gives to what its structure's reference family calls
// otherwise.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/families.h"
#include "model/model.h"

namespace pedigree {

using Renames = std::vector<std::pair<std::string, std::string>>;

// Names of `family` that differ from those of the structure's reference family,
// for the roles that `canonical` holds, in the family's order.
Renames renames_of(const Family& family, const std::vector<CanonicalTensor>& canonical);

// The same for a model of no known family, from info.architecture.structure and
// the roles. Empty when no reference family has that structure, or when the
// names follow no pattern: "t017" is not a rename of anything.
Renames renames_by_role(const ModelInfo& info);

}  // namespace pedigree
