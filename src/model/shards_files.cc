#include "model/shards_files.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace pedigree {
namespace {

constexpr std::uint64_t max_list_bytes = std::uint64_t{1} << 20U;
constexpr std::size_t md5_digits = 32;
constexpr std::string_view record_folder = ".cache/huggingface/download/";

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == text.npos;
}

// The hub names large files by SHA-256 and small ones by git's blob id.
void expect(ModelFile& file, std::string_view name, std::string_view from) {
  if (!is_hex(name)) return;
  if (name.size() == 64 && !file.expected_sha256) {
    file.expected_sha256 = std::string(name);
  } else if (name.size() == 40 && !file.expected_git_sha1) {
    file.expected_git_sha1 = std::string(name);
  } else if (name.size() == md5_digits && !file.expected_md5) {
    file.expected_md5 = std::string(name);
  } else {
    return;
  }
  if (file.expected_from.empty()) file.expected_from = std::string(from);
}

class Expectations {
 public:
  explicit Expectations(const ModelLayout& layout) {
    for (const auto& [path, digest] : layout.expected) {
      by_path_[path].emplace_back(digest, "store manifest");
    }
    for (const ListedFile& file : layout.files) {
      const std::string_view kind = side_file_kind(file.path);
      if (kind == "hub-metadata") read_record(file);
      if (kind == "checksums") read_list(file);
    }
  }

  void apply(ModelFile& file) const {
    const auto found = by_path_.find(file.path);
    if (found == by_path_.end()) return;
    for (const auto& [digest, from] : found->second) expect(file, digest, from);
  }

 private:
  template <class Each>
  static void each_line(const ListedFile& file, const Each& each) {
    const auto text = read_small_file(file.real_path, file.path, max_list_bytes);
    if (!text) return;  // told by whoever was asked to verify the list
    std::string_view rest = *text;
    while (!rest.empty()) {
      std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      each(line);
    }
  }

  // Three lines: commit, etag, time.
  void read_record(const ListedFile& file) {
    std::string_view target = file.path;
    if (!target.starts_with(record_folder)) return;
    target.remove_prefix(record_folder.size());
    target.remove_suffix(std::string_view(".metadata").size());
    std::size_t number = 0;
    each_line(file, [&](std::string_view line) {
      if (++number == 2) by_path_[std::string(target)].emplace_back(line, file.path);
    });
  }

  // "<64 hex>  name" or "<64 hex> *name"; of Meta's checklist.chk, 32 hex. Names count from
  // the list's own folder.
  void read_list(const ListedFile& file) {
    const std::string folder(folder_of(file.path));
    each_line(file, [&](std::string_view line) {
      const std::size_t digits = std::min(line.find(' '), line.size());
      if ((digits != 64 && digits != md5_digits) || line.size() < digits + 3) return;
      if (!is_hex(line.substr(0, digits))) return;
      std::string_view name = line.substr(digits + 2);
      if (name.starts_with("./")) name.remove_prefix(2);
      by_path_[folder + std::string(name)].emplace_back(line.substr(0, digits), file.path);
    });
  }

  std::map<std::string, std::vector<std::pair<std::string, std::string>>> by_path_;
};

}  // namespace

void add_model_files(const ModelLayout& layout, const std::vector<WeightCandidate>& candidates,
                     std::vector<ModelFile>& files) {
  std::map<std::string_view, const WeightCandidate*> by_path;
  for (const WeightCandidate& candidate : candidates) by_path[candidate.file.path] = &candidate;
  const Expectations expectations(layout);
  for (const ListedFile& listed : layout.files) {
    ModelFile file;
    file.path = listed.path;
    file.size = listed.size;
    file.real_path = listed.real_path;
    file.format = std::string(side_file_kind(listed.path));
    const auto found = by_path.find(listed.path);
    const WeightCandidate* const weights = found == by_path.end() ? nullptr : found->second;
    if (weights != nullptr && weights->pointer) {
      file.format = "lfs-pointer";
      file.expected_sha256 = weights->pointer->oid;
      file.expected_from = "git-lfs pointer";
    } else if (weights != nullptr && weights->format != nullptr) {
      file.format = std::string(weights->format->id);
    }
    const std::filesystem::path real(listed.real_path);
    if (listed.is_link && real.parent_path().filename() == "blobs") {
      expect(file, real.filename().string(), "hub-cache blob");
    }
    expectations.apply(file);
    files.push_back(std::move(file));
  }
}

}  // namespace pedigree
