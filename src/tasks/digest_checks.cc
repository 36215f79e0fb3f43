#include "tasks/digest_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/files.h"
#include "base/source.h"

namespace pedigree {
namespace {

// The hub keeps larger files in LFS, which names them by SHA-256.
constexpr std::uint64_t largest_in_git = std::uint64_t{64} << 20U;

}  // namespace

std::optional<std::string> md5_of(const std::string& real_path, const std::string& name) {
  const auto source = open_file(real_path, name);
  if (!source) return std::nullopt;
  constexpr std::uint64_t most = std::uint64_t{1} << 20U;
  Md5 hash;
  std::vector<std::byte> bytes;
  for (std::uint64_t begin = 0; begin < (*source)->size(); begin += bytes.size()) {
    bytes.resize(static_cast<std::size_t>(std::min(most, (*source)->size() - begin)));
    if ((*source)->read_at(begin, bytes)) return std::nullopt;
    hash.update(bytes);
  }
  return hash.finish();
}

void add_check(Report& report, DigestCheck check) {
  const bool missing = check.actual.empty();
  check.state = missing ? "missing" : check.actual == check.expected ? "match" : "mismatch";
  if (check.state != "match") {
    const Problem problem =
        make_problem(missing ? "digest-file-missing" : "digest-mismatch", check.file,
                     missing ? fmt::format("{} names a file that is not there", check.source)
                             : fmt::format("{} asks for {}, the file has {}", check.source,
                                           check.expected, check.actual));
    report.findings.push_back({.rule = problem.code,
                               .level = problem.severity,
                               .message = problem.message,
                               .subject = problem.file,
                               .remedy = problem.remedy});
  }
  report.checks.push_back(std::move(check));
}

void check_what_came_along(Report& report, const ModelInfo& info, const ModelDigests& digests) {
  for (const ModelFile& file : info.files) {
    if (file.format == "lfs-pointer") continue;
    DigestCheck check{.file = file.path, .source = file.expected_from};
    if (file.expected_sha256) {
      const auto digest = std::ranges::find(digests.files, file.path, &FileDigest::path);
      // One that could not be read has its problem already.
      if (digest == digests.files.end()) continue;
      check.expected = *file.expected_sha256;
      check.actual = digest->sha256;
    } else if (file.expected_git_sha1) {
      const auto text = read_small_file(file.real_path, file.path, largest_in_git);
      if (!text) continue;
      check.expected = *file.expected_git_sha1;
      check.actual = git_blob_sha1(std::as_bytes(std::span(*text)));
    } else if (file.expected_md5) {
      const auto actual = md5_of(file.real_path, file.path);
      if (!actual) continue;
      check.expected = *file.expected_md5;
      check.actual = *actual;
    } else {
      continue;
    }
    add_check(report, std::move(check));
  }
}

}  // namespace pedigree
