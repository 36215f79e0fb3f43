// Whether a path of a stranger's stays where it may lead.
#pragma once

#include <filesystem>

namespace pedigree {

// Is `path` this folder or below it? Both with their links resolved.
bool lies_within(const std::filesystem::path& path, const std::filesystem::path& folder);

}  // namespace pedigree
