// Directories from strangers: listing with confinement, small reads, and
// writing a result all or not at all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "base/source.h"

namespace pedigree {

struct ListedFile {
  std::string path;       // relative to the root, '/' between parts, valid UTF-8 or %XX
  std::string real_path;  // to open: links resolved
  std::uint64_t size = 0;
  bool is_link = false;
};

struct Listing {
  std::vector<ListedFile> files;  // regular files, sorted by path
  std::vector<Problem> problems;  // links that lead outside, odd file kinds
};

// Lists `root` up to `depth` folders deep. Links are followed only to targets
// inside `confinement` (root itself when empty), so a hub-cache snapshot passes
// its repository folder. Skips .git, .locks and folders of caches.
Result<Listing> list_directory(const std::string& root, const std::string& confinement = {},
                               unsigned depth = 3);

// Is `name` a relative path that stays inside its root? Refuses "..", absolute
// paths, backslashes, drive letters, NUL and anything over 4096 bytes.
bool is_confined_name(std::string_view name);

// The whole of a small file; a Problem when it is larger than `limit`.
Result<std::string> read_small_file(const std::string& path, std::string name,
                                    std::uint64_t limit = std::uint64_t{16} << 20U);

// Writes beside the target and renames, so that a reader never sees a part. A link
// keeps leading where it led, and a file its permissions; a device or a pipe is
// written to and never replaced.
std::optional<Problem> write_atomically(const std::string& path, std::string_view bytes);

}  // namespace pedigree
