// Which of the formats that are zip archives a file is: its members say.
//
// PyTorch's own has data.pkl, NumPy's has arrays; an archive of saved PyTorch
// files (an agent of stable-baselines3) is looked into one level deep.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "formats/known_formats.h"
#include "formats/npy.h"
#include "formats/pickled_tensors.h"
#include "formats/slice_source.h"
#include "formats/source_text.h"
#include "formats/torch_zip.h"

namespace pedigree {
namespace {

bool holds(std::span<const std::byte> head, std::size_t at, std::string_view text) {
  return head.size() >= at + text.size() &&
         std::ranges::equal(head.subspan(at, text.size()), std::as_bytes(std::span(text)));
}

unsigned u16_at(std::span<const std::byte> head, std::size_t at) {
  if (head.size() < at + 2) return 0;
  return std::to_integer<unsigned>(head[at]) + 256 * std::to_integer<unsigned>(head[at + 1]);
}

// The compression method keeps a safetensors header of 67,324,752 bytes, which
// begins with the same four, from passing for a zip.
bool is_zip(std::span<const std::byte> head, std::uint64_t) {
  return holds(head, 0, "PK\x03\x04") && u16_at(head, 8) < 100;
}

bool first_member_ends_in(std::span<const std::byte> head, std::string_view ending) {
  constexpr std::size_t name_at = 30;
  const std::size_t length = u16_at(head, 26);
  return length >= ending.size() && holds(head, name_at + length - ending.size(), ending);
}

// torch.save puts <name>/data.pkl first.
bool is_torch_zip(std::span<const std::byte> head, std::uint64_t size) {
  return is_zip(head, size) && first_member_ends_in(head, "/data.pkl");
}

bool is_npz(std::span<const std::byte> head, std::uint64_t size) {
  return is_zip(head, size) && first_member_ends_in(head, ".npy");
}

bool ends_in_any(std::string_view name, std::span<const std::string_view> endings) {
  return std::ranges::any_of(endings,
                             [&](std::string_view ending) { return name.ends_with(ending); });
}

void tell_unread(const ZipMember& member, WeightFile& file) {
  constexpr std::size_t most = 20;
  const auto told = std::ranges::count(file.problems, "archive-unread-member", &Problem::code);
  if (static_cast<std::size_t>(told) >= most) return;
  file.problems.push_back(make_problem(
      "archive-unread-member", {},
      fmt::format("the member {} of {} bytes was not read", quoted(member.name), member.size),
      member.header));
}

WeightFile read_arrays(const Source& source, const ZipDirectory& zip, const Limits& limits) {
  constexpr std::string_view ending = ".npy";
  WeightFile file = {.format = npz_format.id, .problems = zip.problems};
  for (const ZipMember& member : zip.members) {
    if (!member.name.ends_with(ending)) {
      tell_unread(member, file);
      continue;
    }
    add_npy(source, member.name.substr(0, member.name.size() - ending.size()),
            {.stored = member.data, .deflated = member.deflated, .bytes = member.size}, limits,
            file);
  }
  finish_tensors(file);
  return file;
}

// Of a file within: its places, as places of the whole.
void move_by(std::uint64_t offset, WeightFile& file) {
  const auto move = [&](Extent& extent) {
    extent.begin += offset;
    extent.end += offset;
  };
  for (TensorEntry& entry : file.tensors) move(entry.extent);
  for (ArrangedTensor& tensor : file.arranged) move(tensor.arrangement.stored);
  for (Problem& problem : file.problems) {
    if (problem.offset) *problem.offset += offset;
  }
}

bool is_training_state(std::string_view name) { return name.find("optim") != name.npos; }

using InnerArchive = std::pair<std::string, WeightFile>;  // the member's name without its ending

// What a member holds, when it is a PyTorch archive with tensors.
std::optional<WeightFile> read_inner_archive(const Source& source, const ZipMember& member,
                                             const Limits& limits) {
  const SliceSource slice(source, member.data);
  try {
    const ZipDirectory within = read_zip_directory(slice, limits);
    if (!torch_root(within)) return std::nullopt;
    WeightFile found = read_torch_archive(slice, within, limits);
    move_by(member.data.begin, found);
    if (found.tensors.empty() && found.arranged.empty()) return std::nullopt;
    return found;
  } catch (Malformed& fault) {
    if (fault.problem.offset) *fault.problem.offset += member.data.begin;
    throw;
  }
}

void take_tensors(InnerArchive& inner, const std::string& prefix, WeightFile& file) {
  WeightFile& part = inner.second;
  for (TensorEntry& entry : part.tensors) entry.name.insert(0, prefix);
  for (ArrangedTensor& tensor : part.arranged) tensor.entry.name.insert(0, prefix);
  std::ranges::move(part.tensors, std::back_inserter(file.tensors));
  std::ranges::move(part.arranged, std::back_inserter(file.arranged));
  std::ranges::move(part.problems, std::back_inserter(file.problems));
}

// The PyTorch archives within an archive; names begin with the member's where
// several hold tensors.
WeightFile read_inner_archives(const Source& source, const ZipDirectory& zip,
                               const Limits& limits) {
  constexpr std::array<std::string_view, 4> endings = {".pth", ".pt", ".bin", ".ckpt"};
  WeightFile file = {.format = zip_format.id, .problems = zip.problems};
  std::vector<InnerArchive> inner;
  for (const ZipMember& member : zip.members) {
    if (member.deflated || !ends_in_any(member.name, endings)) continue;
    if (is_training_state(member.name)) {
      file.problems.push_back(make_problem(
          "training-state-present", {},
          fmt::format("{} is no weights and was left out", quoted(member.name)), member.header));
      continue;
    }
    if (auto found = read_inner_archive(source, member, limits)) {
      inner.emplace_back(member.name.substr(0, member.name.rfind('.')), std::move(*found));
    }
  }
  if (inner.empty()) {
    malformed("format-unsupported",
              "the content is a zip archive that holds no weights of a kind that is read", 0);
  }
  for (InnerArchive& each : inner) {
    take_tensors(each, inner.size() > 1 ? each.first + "." : "", file);
  }
  finish_tensors(file);
  return file;
}

WeightFile read(const Source& source, const Limits& limits) {
  const ZipDirectory zip = read_zip_directory(source, limits);
  if (torch_root(zip)) return read_torch_archive(source, zip, limits);
  const bool arrays = std::ranges::any_of(
      zip.members, [](const ZipMember& member) { return member.name.ends_with(".npy"); });
  return arrays ? read_arrays(source, zip, limits) : read_inner_archives(source, zip, limits);
}

}  // namespace

constinit const Format torch_zip_format = {.id = "torch-zip",
                                           .title = "PyTorch (zip)",
                                           .recognises = is_torch_zip,
                                           .read = read,
                                           .checked = "files of torch 1.13"};
constinit const Format npz_format = {.id = "npz",
                                     .title = "NumPy arrays (zip)",
                                     .recognises = is_npz,
                                     .read = read,
                                     .general = true,
                                     .checked = "files of NumPy 1.24"};
constinit const Format zip_format = {.id = "zip",
                                     .title = "zip archive",
                                     .recognises = is_zip,
                                     .read = read,
                                     .general = true,
                                     .checked = "agents of stable-baselines3"};

}  // namespace pedigree
