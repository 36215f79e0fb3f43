// PyTorch archives, TorchScript's included.
//
// A folder of any name holds data.pkl, data/<key> for each storage, version, and
// byteorder where the writer knows of it. TorchScript adds code/ and constants.pkl
// with its own folder of storages. Source: caffe2/serialize/inline_container.cc
// and torch/serialization.py.
#include "formats/torch_zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/text.h"
#include "formats/known_formats.h"
#include "formats/pickled_tensors.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

constexpr std::string_view pickle_member = "data.pkl";

class ArchiveReader {
 public:
  ArchiveReader(const Source& source, const ZipDirectory& zip, const Limits& limits)
      : source_(source), zip_(zip), limits_(limits) {}

  WeightFile read() {
    auto root = torch_root(zip_);
    check(root.has_value(), "an archive without data.pkl");
    root_ = std::move(root).value_or(std::string());
    file_.format = torch_zip_format.id;
    file_.problems = zip_.problems;
    for (const ZipMember& member : zip_.members) by_name_.emplace(member.name, &member);
    script_ = by_name_.contains(root_ + "constants.pkl");
    const bool big_endian = is_big_endian();
    read_part(pickle_member, "data/", "", big_endian);
    if (script_) read_part("constants.pkl", "constants/", "CONSTANTS.c", big_endian);
    tell_unread();
    finish_tensors(file_);
    return std::move(file_);
  }

 private:
  bool is_big_endian() {
    const auto found = by_name_.find(root_ + "byteorder");
    if (found == by_name_.end()) return false;
    const std::string order = read_zip_member(source_, *found->second, 64);
    if (order == "little" || order == "big") return order == "big";
    malformed("torch-malformed", "the byte order is neither little nor big",
              found->second->data.begin);
  }

  // The storages a pickle may name.
  StoragePlaces storages(std::string_view folder, bool big_endian) {
    StoragePlaces places = {.big_endian = big_endian};
    const std::string prefix = root_ + std::string(folder);
    for (auto next = by_name_.lower_bound(prefix);
         next != by_name_.end() && next->first.starts_with(prefix); ++next) {
      const ZipMember& member = *next->second;
      if (member.name.ends_with('/')) continue;
      places.by_key[member.name.substr(prefix.size())] = {
          .data = member.data, .deflated = member.deflated, .bytes = member.size};
      known_.insert(&member);
    }
    return places;
  }

  // A pickle and the tensors it names. Of a script's constants, which are a tuple,
  // the names are those its code uses.
  void read_part(std::string_view name, std::string_view folder, std::string_view prefix,
                 bool big_endian) {
    const ZipMember& member = *by_name_.find(root_ + std::string(name))->second;
    known_.insert(&member);
    StoragePlaces places = storages(folder, big_endian);
    std::optional<PickleReading> pickle;
    if (member.deflated) {
      const MemorySource unpacked(source_.name(),
                                  read_zip_member(source_, member, limits_.header_bytes));
      pickle = read_pickle(unpacked, {.begin = 0, .end = unpacked.size()}, limits_);
      places.bytes_in_file = false;
      move_offsets(*pickle, member);
      tell_trailing(name, unpacked.size() - pickle->end, member.data.begin);
    } else {
      check_pickle_crc(member);
      pickle = read_pickle(source_, member.data, limits_);
      tell_trailing(name, member.data.end - pickle->end, pickle->end);
    }
    for (Problem& problem : pickle_problems(*pickle)) file_.problems.push_back(std::move(problem));
    if (pickle->broken) return;
    StateDict dict = find_state_dict(pickle->tree, pickle->root, limits_);
    for (NamedNode& node : dict.tensors) node.name.insert(0, prefix);
    for (Problem& problem : dict.problems) file_.problems.push_back(std::move(problem));
    add_pickled_tensors(*pickle, dict.tensors, places, source_, file_);
  }

  // PyTorch's own reader checks it too; one that does not would run another pickle.
  void check_pickle_crc(const ZipMember& member) const {
    read_zip_member(source_, member, limits_.header_bytes);
  }

  // Offsets within an unpacked member are none in the file.
  static void move_offsets(PickleReading& pickle, const ZipMember& member) {
    for (PickleGlobal& global : pickle.foreign) global.offset = member.data.begin;
    if (pickle.broken) pickle.broken->offset = member.data.begin;
  }

  void tell_trailing(std::string_view name, std::uint64_t bytes, std::uint64_t offset) {
    if (bytes == 0) return;
    file_.problems.push_back(make_problem(
        "pickle-trailing-bytes", {},
        fmt::format("{} bytes follow the end of the pickle in {}", bytes, name), offset));
  }

  bool is_known(const ZipMember& member) const {
    constexpr std::array<std::string_view, 6> files = {"version",
                                                       "byteorder",
                                                       ".format_version",
                                                       ".storage_alignment",
                                                       ".data/serialization_id",
                                                       "attributes.pkl"};
    if (known_.contains(&member) || !member.name.starts_with(root_))
      return known_.contains(&member);
    const std::string_view rest = std::string_view(member.name).substr(root_.size());
    if (std::ranges::find(files, rest) != files.end() || rest.ends_with('/')) return true;
    return script_ && (rest.starts_with("code/") || rest.starts_with("extra/"));
  }

  bool begins_as_pickle(const ZipMember& member) const {
    if (member.deflated || member.data.size() < 2) return false;
    const std::string head =
        read_text(source_, {.begin = member.data.begin, .end = member.data.begin + 2});
    return head[0] == '\x80' && head[1] >= 2 && head[1] <= 5;
  }

  void tell_unread() {
    constexpr std::size_t most = 20;
    std::size_t count = 0;
    for (const ZipMember& member : zip_.members) {
      if (is_known(member)) continue;
      if (++count > most) continue;
      file_.problems.push_back(make_problem(
          "archive-unread-member", {},
          fmt::format("the member {} of {} bytes {}", quoted(member.name), member.size,
                      begins_as_pickle(member) ? "is a pickle that no reader of weights needs"
                                               : "is none that PyTorch writes"),
          member.header));
    }
    if (count <= most) return;
    file_.problems.push_back(make_problem(
        "archive-unread-member", {}, fmt::format("{} more members are unknown", count - most)));
  }

  const Source& source_;
  const ZipDirectory& zip_;
  const Limits& limits_;
  WeightFile file_;
  std::string root_;
  bool script_ = false;
  std::map<std::string_view, const ZipMember*> by_name_;
  std::set<const ZipMember*> known_;
};

}  // namespace

std::optional<std::string> torch_root(const ZipDirectory& zip) {
  std::optional<std::string> root;
  for (const ZipMember& member : zip.members) {
    if (!member.name.ends_with(pickle_member)) continue;
    const std::string folder = member.name.substr(0, member.name.size() - pickle_member.size());
    const bool at_top = folder.empty() || folder.find('/') == folder.size() - 1;
    if (!at_top) continue;
    if (root) {
      malformed(
          "torch-malformed",
          fmt::format("two members are named data.pkl, {} and {}", quoted(*root), quoted(folder)),
          member.header);
    }
    root = folder;
  }
  return root;
}

WeightFile read_torch_archive(const Source& source, const ZipDirectory& zip, const Limits& limits) {
  return ArchiveReader(source, zip, limits).read();
}

}  // namespace pedigree
