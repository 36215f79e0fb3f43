// Any text becomes an index or a problem, and an index of any kind can be held
// against shards.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "model/index.h"
#include "model/metadata_architecture.h"

namespace {

using namespace pedigree;

void hold_problem(const Problem& problem) {
  check(find_problem_kind(problem.code) != nullptr, "a code nobody listed");
  check(is_valid_utf8(problem.message), "a message that is not UTF-8");
}

// Half of the shards are missing, the others hold what the index lists and one
// tensor more.
void hold_against_shards(const ShardIndex& index) {
  std::vector<std::vector<TensorEntry>> entries(index.shards.size());
  for (const auto& [name, shard] : index.tensors) {
    check(shard < index.shards.size(), "a shard nobody named");
    TensorEntry entry;
    entry.name = name;
    entry.extent = {0, 8};
    entries[(shard + name.size()) % entries.size()].push_back(std::move(entry));
  }
  std::vector<HeldShard> held;
  for (std::size_t shard = 0; shard < entries.size(); ++shard) {
    held.push_back(shard % 2 == 0 ? HeldShard{HeldShard::State::read, &entries[shard]}
                                  : HeldShard{});
  }
  for (const Problem& problem : check_shard_index(index, held)) hold_problem(problem);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  const auto index = read_shard_index(text, "model.safetensors.index.json", {.shards = 64});
  if (!index) {
    hold_problem(index.error());
    return 0;
  }
  for (const std::string& shard : index->shards) {
    check(is_confined_name(shard), "a shard name that leads outside");
  }
  for (const Problem& problem : index->problems) hold_problem(problem);
  hold_against_shards(*index);
  ListedTensors listed{.file = index->file, .bytes = index->total_size};
  for (const auto& [name, shard] : index->tensors) listed.names.push_back(name);
  ModelInfo described;
  describe_from_metadata(described, {}, listed);
  check(described.canonical.empty(), "tensors out of an index");
  for (const Problem& problem : described.problems) hold_problem(problem);
  return 0;
}
