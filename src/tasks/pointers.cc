#include "tasks/pointers.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "base/digest.h"
#include "base/files.h"
#include "base/text.h"
#include "formats/formats.h"

namespace pedigree {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{4} << 20U;

bool is_pointer(const ModelFile& file) { return file.format == "lfs-pointer"; }

std::vector<LfsPointer> pointers_of(const Opened& side) {
  constexpr std::uint64_t longest = 1024;
  std::vector<LfsPointer> pointers;
  if (!side.model) return pointers;
  for (const ModelFile& file : side.model->files) {
    if (!is_pointer(file)) continue;
    const auto text = read_small_file(file.real_path, file.path, longest);
    auto pointer = text ? read_lfs_pointer(*text) : std::nullopt;
    if (pointer) pointers.push_back(std::move(*pointer));
  }
  return pointers;
}

std::optional<std::string> sha256_of(const ModelFile& file, const Progress& progress) {
  const auto source = open_file(file.real_path, file.path);
  if (!source) return std::nullopt;
  Sha256 hash;
  std::vector<std::byte> chunk(chunk_bytes);
  const std::uint64_t size = (*source)->size();
  for (std::uint64_t at = 0; at < size;) {
    if (progress.stop()) return std::nullopt;
    if (progress.report) progress.report("identifying pointers", at, size);
    const auto part = std::span(chunk).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(chunk_bytes, size - at)));
    if ((*source)->read_at(at, part)) return std::nullopt;
    hash.update(part);
    at += part.size();
  }
  return to_hex(hash.finish());
}

// The files of one side by digest, each read at most once.
class FilesAtHand {
 public:
  FilesAtHand(const Opened& side, const Progress& progress) : side_(side), progress_(progress) {
    if (side.model) digests_.resize(side.model->files.size());
  }

  // The path of a file with this content, "" when there is none.
  std::string find(const LfsPointer& wanted) {
    return side_.model ? in_model(wanted) : in_fingerprint(wanted.oid);
  }

 private:
  std::string in_model(const LfsPointer& wanted) {
    const std::vector<ModelFile>& files = side_.model->files;
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (is_pointer(files[i])) {
        if (files[i].expected_sha256 == wanted.oid) return files[i].path;
        continue;
      }
      if (files[i].size != wanted.size) continue;
      std::optional<std::string>& digest = digests_[i];
      if (!digest) digest = sha256_of(files[i], progress_).value_or("");
      if (digest == wanted.oid) return files[i].path;
    }
    return {};
  }

  std::string in_fingerprint(const std::string& sha256) const {
    const std::optional<ModelDigests>& digests = side_.stored->digests;
    if (!digests) return {};
    const auto& files = digests->files;
    const auto at = std::ranges::find(files, sha256, &FileDigest::sha256);
    return at == files.end() ? std::string() : at->path;
  }

  const Opened& side_;
  const Progress& progress_;
  std::vector<std::optional<std::string>> digests_;
};

std::string named(const Opened& side, const Opened& other, const Progress& progress) {
  const auto pointers = pointers_of(side);
  if (pointers.empty()) return {};
  FilesAtHand files(other, progress);
  std::size_t count = 0;
  std::string first;
  std::string oid;
  for (const LfsPointer& pointer : pointers) {
    const std::string path = files.find(pointer);
    if (path.empty()) continue;
    if (count++ == 0) {
      first = path;
      oid = pointer.oid;
    }
  }
  if (count == 0) return {};
  if (pointers.size() == 1) {
    return fmt::format("the pointer of {} names exactly {} of {} (SHA-256 {})", side.name(),
                       shown(first), other.name(), oid);
  }
  return fmt::format("{} of the {} pointers of {} name exactly files of {}, first {} (SHA-256 {})",
                     count, pointers.size(), side.name(), other.name(), shown(first), oid);
}

}  // namespace

std::string named_by_pointers(const Opened& subject, const Opened& base, const Progress& progress) {
  std::string text = named(subject, base, progress);
  return text.empty() ? named(base, subject, progress) : text;
}

}  // namespace pedigree
