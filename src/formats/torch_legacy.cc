// Files of torch.save before 1.6, and plain pickles.
//
// In a row: a pickle of a magic number, one of the protocol (1001), one of the
// writer's integer sizes and byte order, the object, the storages' keys, and for
// each key in that order its element count (i64) and elements. Source:
// _legacy_save in torch/serialization.py.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/byte_reader.h"
#include "base/checked.h"
#include "base/text.h"
#include "formats/known_formats.h"
#include "formats/pickled_tensors.h"
#include "formats/source_text.h"

namespace pedigree {
namespace {

using namespace std::string_view_literals;
using Kind = PickleNode::Kind;

constexpr std::string_view code = "torch-malformed";
constexpr std::string_view magic_number = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;
constexpr std::int64_t legacy_protocol = 1001;

class LegacyReader {
 public:
  LegacyReader(const Source& source, const Limits& limits) : source_(source), limits_(limits) {}

  WeightFile read() {
    file_.format = pickle_format.id;
    PickleReading first = next_pickle();
    const bool torch =
        first.tree.is(first.root, Kind::big_integer) && first.tree.text(first.root) == magic_number;
    if (torch) {
      read_torch();
    } else {
      take_object(first, {});
    }
    if (!torch && !broken_ && file_.tensors.empty() && file_.arranged.empty()) {
      file_.problems.push_back(
          make_problem("not-a-weight-file", {}, "the pickle holds no arrays of numbers", 0));
    }
    if (!broken_ && at_ < source_.size()) {
      file_.problems.push_back(make_problem(
          "pickle-trailing-bytes", {},
          fmt::format("{} bytes follow what the pickle names", source_.size() - at_), at_));
    }
    finish_tensors(file_);
    return std::move(file_);
  }

 private:
  // What is wrong with a pickle is told, and nothing behind a broken one is read.
  PickleReading next_pickle() {
    PickleReading pickle = read_pickle(source_, {.begin = at_, .end = source_.size()}, limits_);
    at_ = pickle.end;
    for (Problem& problem : pickle_problems(pickle)) file_.problems.push_back(std::move(problem));
    broken_ = broken_ || pickle.broken.has_value();
    return pickle;
  }

  void read_torch() {
    const PickleReading protocol = next_pickle();
    if (broken_) return;
    if (!protocol.tree.is(protocol.root, Kind::integer) ||
        protocol.tree.at(protocol.root).number != legacy_protocol) {
      malformed(code, "the protocol behind the magic number is not 1001", 0);
    }
    StoragePlaces places;
    const PickleReading system = next_pickle();
    if (broken_) return;
    places.big_endian = is_big_endian(system);
    const PickleReading object = next_pickle();
    if (broken_) return;
    const PickleReading keys = next_pickle();
    if (broken_) return;
    find_storages(object, keys, places);
    take_object(object, places);
  }

  static bool is_big_endian(const PickleReading& system) {
    const auto items = system.tree.items(system.root);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (system.tree.text(items[i]) != "little_endian") continue;
      return system.tree.is(items[i + 1], Kind::boolean) &&
             system.tree.at(items[i + 1]).number == 0;
    }
    return false;
  }

  static std::map<std::string, StorageId> named_storages(const PickleTree& tree) {
    std::map<std::string, StorageId> named;
    for (PickleRef ref = 0; ref < tree.node_count(); ++ref) {
      if (auto id = storage_id(tree, ref)) named.emplace(id->key, *id);
    }
    return named;
  }

  // Storages follow one another; the size of each stands before it.
  void find_storages(const PickleReading& object, const PickleReading& keys,
                     StoragePlaces& places) {
    const std::map<std::string, StorageId> named = named_storages(object.tree);
    const auto items = keys.tree.items(keys.root);
    if (!keys.tree.is(keys.root, Kind::list))
      malformed(code, "the storages' keys are no list", at_);
    for (const PickleRef item : items) {
      const std::string key(keys.tree.text(item));
      const auto storage = named.find(key);
      if (storage == named.end()) {
        malformed(code,
                  fmt::format("the key {} is that of no storage", quoted(percent_escaped(key))),
                  at_);
      }
      const std::uint64_t elements = element_count(places.big_endian);
      const std::uint64_t bytes = checked_multiply(elements, storage->second.type.bytes, code);
      if (bytes > source_.size() - at_) {
        malformed("io-short-read",
                  fmt::format("the storage {} has {} bytes and {} are left",
                              quoted(percent_escaped(key)), bytes, source_.size() - at_),
                  at_);
      }
      const Extent data = {.begin = at_, .end = at_ + bytes};
      if (!places.by_key.emplace(key, StoragePlace{.data = data, .bytes = bytes}).second) {
        malformed("duplicate-key",
                  fmt::format("the storage {} stands twice", quoted(percent_escaped(key))), at_);
      }
      at_ = data.end;
    }
  }

  std::uint64_t element_count(bool big_endian) {
    const std::uint64_t end = at_ + std::min<std::uint64_t>(8, source_.size() - at_);
    const std::string text = read_text(source_, {.begin = at_, .end = end});
    ByteReader reader(std::as_bytes(std::span(text)), "io-short-read", at_);
    std::uint64_t count = reader.u64();
    if (big_endian) count = __builtin_bswap64(count);
    at_ = end;
    return count;
  }

  void take_object(const PickleReading& pickle, const StoragePlaces& places) {
    if (broken_) return;
    StateDict dict = find_state_dict(pickle.tree, pickle.root, limits_);
    for (Problem& problem : dict.problems) file_.problems.push_back(std::move(problem));
    add_pickled_tensors(pickle, dict.tensors, places, source_, file_);
  }

  const Source& source_;
  const Limits& limits_;
  WeightFile file_;
  std::uint64_t at_ = 0;
  bool broken_ = false;
};

// Protocol 2 to 5. Stands behind safetensors in the table: a header of 640
// bytes begins with the same two bytes.
bool recognises(std::span<const std::byte> head, std::uint64_t) {
  if (head.size() < 3) return false;
  const auto protocol = std::to_integer<unsigned>(head[1]);
  return head[0] == std::byte{0x80} && protocol >= 2 && protocol <= 5 && head[2] != std::byte{0};
}

WeightFile read(const Source& source, const Limits& limits) {
  return LegacyReader(source, limits).read();
}

}  // namespace

constinit const Format pickle_format = {.id = "pickle",
                                        .title = "Python pickle",
                                        .recognises = recognises,
                                        .read = read,
                                        .general = true,
                                        .checked = "files of torch 1.13"};

}  // namespace pedigree
