#include "base/confinement.h"

#include <algorithm>

namespace pedigree {

bool lies_within(const std::filesystem::path& path, const std::filesystem::path& folder) {
  return std::ranges::mismatch(folder, path).in1 == folder.end();
}

}  // namespace pedigree
