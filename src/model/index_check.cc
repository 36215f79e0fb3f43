#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "model/index.h"

namespace pedigree {
namespace {

using State = HeldShard::State;

// "tensor x" or "x and 11 other tensors", for one rule in one shard.
struct Offenders {
  std::string first = {};
  std::size_t count = 0;

  void add(std::string_view name) {
    if (count++ == 0) first = shown(name.substr(0, 200));
  }
  std::string text() const {
    return count == 1 ? fmt::format("tensor \"{}\"", first)
                      : fmt::format("\"{}\" and {} other tensors", first, count - 1);
  }
};

class Checker {
 public:
  Checker(const ShardIndex& index, std::span<const HeldShard> shards)
      : index_(index), shards_(shards) {
    for (std::size_t shard = 0; shard < shards.size(); ++shard) {
      if (shards[shard].state != State::read) continue;
      for (const TensorEntry& entry : *shards[shard].tensors) {
        held_in_.try_emplace(entry.name, shard);
        held_.insert(key(entry.name, shard));
      }
    }
  }

  std::vector<Problem> problems() {
    missing_shards();
    listed_tensors();
    unlisted_tensors();
    total_size();
    return std::move(problems_);
  }

 private:
  static std::string key(std::string_view name, std::size_t shard) {
    return fmt::format("{}/{}", shard, name);
  }

  void add(std::string_view code, std::string file, std::string message) {
    problems_.push_back(make_problem(code, std::move(file), std::move(message)));
  }

  // One problem for all of them: most of a model may not be there yet.
  void missing_shards() {
    std::vector<std::size_t> listed(shards_.size());
    for (const auto& [name, shard] : index_.tensors) ++listed[shard];
    std::size_t missing = 0;
    std::size_t tensors = 0;
    std::string named;
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
      if (shards_[shard].state != State::missing) continue;
      tensors += listed[shard];
      if (++missing > 4) continue;
      named += fmt::format("{}\"{}\"", missing == 1 ? "" : ", ",
                           shown(index_.shards[shard].substr(0, 200)));
    }
    if (missing == 0) return;
    if (missing > 4) named += fmt::format(" and {} more", missing - 4);
    add("index-missing-shard", index_.file,
        fmt::format("{} of {} shards are not there, and {} tensors with them: {}", missing,
                    shards_.size(), tensors, named));
  }

  void listed_tensors() {
    std::map<std::size_t, Offenders> missing;
    std::map<std::pair<std::size_t, std::size_t>, Offenders> moved;
    for (const auto& [name, shard] : index_.tensors) {
      if (shards_[shard].state == State::read && held_.contains(key(name, shard))) continue;
      const auto elsewhere = held_in_.find(name);
      if (elsewhere != held_in_.end()) {
        moved[{shard, elsewhere->second}].add(name);
      } else if (shards_[shard].state == State::read) {
        missing[shard].add(name);
      }
    }
    for (const auto& [shard, offenders] : missing) {
      add("index-missing-tensor", index_.file,
          fmt::format("\"{}\" does not hold {}", shown(index_.shards[shard]), offenders.text()));
    }
    for (const auto& [places, offenders] : moved) {
      add("index-wrong-shard", index_.file,
          fmt::format("{} should lie in \"{}\" and lies in \"{}\"", offenders.text(),
                      shown(index_.shards[places.first]), shown(index_.shards[places.second])));
    }
  }

  void unlisted_tensors() {
    std::unordered_set<std::string_view> listed;
    for (const auto& [name, shard] : index_.tensors) listed.insert(name);
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
      if (shards_[shard].state != State::read) continue;
      Offenders offenders;
      for (const TensorEntry& entry : *shards_[shard].tensors) {
        if (!listed.contains(entry.name)) offenders.add(entry.name);
      }
      if (offenders.count == 0) continue;
      add("index-unlisted-tensor", index_.file,
          fmt::format("\"{}\" holds {}, which the index does not list", shown(index_.shards[shard]),
                      offenders.text()));
    }
  }

  // Only where every shard could be read: otherwise the sum means nothing.
  void total_size() {
    const bool whole = std::ranges::all_of(
        shards_, [](const HeldShard& shard) { return shard.state == State::read; });
    if (!index_.total_size || !whole || shards_.empty()) return;
    std::uint64_t held = 0;
    std::uint64_t once = 0;
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
      for (const TensorEntry& entry : *shards_[shard].tensors) {
        held += entry.extent.size();
        if (held_in_.find(entry.name)->second == shard) once += entry.extent.size();
      }
    }
    if (*index_.total_size == held || *index_.total_size == once) return;
    add("index-size-mismatch", index_.file,
        fmt::format("total_size is {} bytes and the tensors have {}", *index_.total_size, once));
  }

  const ShardIndex& index_;
  std::span<const HeldShard> shards_;
  std::unordered_map<std::string_view, std::size_t> held_in_;  // the first shard
  std::unordered_set<std::string> held_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_shard_index(const ShardIndex& index, std::span<const HeldShard> shards) {
  check(shards.size() == index.shards.size(), "one held shard per shard of the index");
  return Checker(index, shards).problems();
}

}  // namespace pedigree
