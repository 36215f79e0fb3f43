// The index of a sharded model: which tensor lies in which file, and whether
// the shards agree.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/problem.h"
#include "formats/limits.h"
#include "tensor/tensor.h"

namespace pedigree {

struct ShardIndex {
  std::string file = {};                         // relative path of the index
  std::vector<std::string> shards = {};          // relative to the index's folder; confined
  std::optional<std::uint64_t> total_size = {};  // bytes of all tensors, as claimed
  std::vector<std::pair<std::string, std::size_t>> tensors = {};  // name, position in shards
  std::vector<Problem> problems = {};
};

constexpr std::size_t max_index_bytes = std::size_t{64} << 20U;

// A Problem when the text is no index at all. Shards whose name leads outside
// the model are problems of the index, and their tensors are left out.
Result<ShardIndex> read_shard_index(std::string_view text, std::string_view file,
                                    const Limits& limits);

// What was found where the index says a shard is.
struct HeldShard {
  enum class State { missing, pointer, unreadable, read };
  State state = State::missing;
  const std::vector<TensorEntry>* tensors = nullptr;  // when read
};

// Holds the index against the shards it names, in its order. One problem per
// rule and shard, however many tensors break it.
std::vector<Problem> check_shard_index(const ShardIndex& index, std::span<const HeldShard> shards);

}  // namespace pedigree
