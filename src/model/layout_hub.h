// The model hub's cache on disk: models--ORG--NAME/{refs,snapshots,blobs}, where
// a snapshot is a folder of links to blobs named by their digests.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/problem.h"

namespace pedigree {

bool is_hub_repository(const std::filesystem::path& folder);

// The repository a snapshot folder belongs to, where it does.
std::optional<std::filesystem::path> repository_of_snapshot(const std::filesystem::path& folder);

// The snapshot folder of a revision: a ref's name, a commit, or "" for
// refs/main (and the only snapshot where there is no such ref).
Result<std::filesystem::path> find_snapshot(const std::filesystem::path& repository,
                                            const std::string& revision);

// "org/name" of "models--org--name"; the folder's own name for others.
std::string repository_name(const std::filesystem::path& repository);

// Downloads that never finished, by file name within blobs/.
std::vector<std::string> unfinished_blobs(const std::filesystem::path& repository);

// Repositories directly inside a cache root, sorted.
std::vector<std::filesystem::path> repositories_in(const std::filesystem::path& folder);

}  // namespace pedigree
