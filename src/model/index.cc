#include "model/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace pedigree {
namespace {

using Kind = JsonEvent::Kind;

constexpr std::size_t max_problems = 20;  // of one rule in one index

// Root keys stand at depth 1, those of metadata and weight_map at 2.
class IndexReader {
 public:
  IndexReader(std::string_view text, std::string_view file, const Limits& limits, ShardIndex& index)
      : text_(text), file_(file), limits_(limits), index_(index) {}

  void operator()(const JsonEvent& event) {
    if (event.depth == 0) {
      const bool object = event.kind == Kind::begin_object || event.kind == Kind::end_object;
      if (!object) malformed("index-malformed", "the index is not a JSON object", event.offset);
      return;
    }
    if (event.depth == 1) {
      if (event.kind == Kind::key) section_ = std::string(event.text);
      if (event.kind == Kind::begin_object && section_ == "weight_map") has_map_ = true;
      return;
    }
    if (section_ == "weight_map") mapping(event);
    if (section_ == "metadata") metadata(event);
  }

  bool has_map() const { return has_map_; }

 private:
  void mapping(const JsonEvent& event) {
    if (event.depth == 2 && event.kind == Kind::key) {
      tensor_ = std::string(event.text);
    } else if (event.depth == 2 && event.kind == Kind::string) {
      list_tensor(event);
    } else {
      malformed("index-malformed", "a tensor is not mapped to a file name", event.offset);
    }
  }

  void list_tensor(const JsonEvent& event) {
    if (index_.tensors.size() >= limits_.tensors) {
      malformed("limit-exceeded", "the index lists too many tensors", event.offset);
    }
    const auto shard = shard_of(event);
    if (!shard) return;
    const auto [known, fresh] = seen_.try_emplace(tensor_, index_.tensors.size());
    if (fresh) {
      index_.tensors.emplace_back(std::move(tensor_), *shard);
      return;
    }
    add_problem(
        "duplicate-key",
        fmt::format("the tensor \"{}\" is listed twice; the last entry counts", shown(tensor_)),
        event.offset);
    index_.tensors[known->second].second = *shard;
  }

  // The position of a shard's name, none when it leads outside.
  std::optional<std::size_t> shard_of(const JsonEvent& event) {
    const auto known = shards_.find(std::string(event.text));
    if (known != shards_.end()) return known->second;
    std::optional<std::size_t> position;
    if (!is_confined_name(event.text)) {
      add_problem("index-path-escape",
                  fmt::format("the shard name \"{}\" leads outside the model",
                              shown(event.text.substr(0, 200))),
                  event.offset);
    } else if (index_.shards.size() >= limits_.shards) {
      malformed("limit-exceeded", fmt::format("the index names over {} shards", limits_.shards),
                event.offset);
    } else {
      position = index_.shards.size();
      index_.shards.emplace_back(event.text);
    }
    // A hostile index could name a new bad shard for every tensor.
    if (position || shards_.size() < 2 * limits_.shards) {
      shards_.emplace(std::string(event.text), position);
    }
    return position;
  }

  void metadata(const JsonEvent& event) {
    if (event.depth != 2) return;
    if (event.kind == Kind::key) {
      field_ = std::string(event.text);
      return;
    }
    if (field_ != "total_size") return;
    if (event.kind == Kind::unsigned_integer) {
      index_.total_size = event.unsigned_integer;
    } else if (event.kind == Kind::number && event.number >= 0 && event.number < 1.8e19 &&
               std::floor(event.number) == event.number) {
      index_.total_size = static_cast<std::uint64_t>(event.number);
    } else if (event.kind == Kind::string) {
      index_.total_size = whole_number<std::uint64_t>(event.text);
    }
    if (!index_.total_size) {
      add_problem("index-size-mismatch", "total_size is not a count of bytes", event.offset);
    }
  }

  void add_problem(std::string_view code, std::string message, std::uint64_t offset) {
    const auto same = std::ranges::count(index_.problems, code, &Problem::code);
    if (static_cast<std::size_t>(same) >= max_problems) return;
    Problem problem = make_problem(code, std::string(file_), std::move(message), offset);
    problem.line = line_of(text_, offset);
    index_.problems.push_back(std::move(problem));
  }

  std::string_view text_;
  std::string_view file_;
  const Limits& limits_;
  ShardIndex& index_;
  std::string section_;
  std::string field_;
  std::string tensor_;
  bool has_map_ = false;
  std::unordered_map<std::string, std::size_t> seen_;
  std::unordered_map<std::string, std::optional<std::size_t>> shards_;
};

}  // namespace

Result<ShardIndex> read_shard_index(std::string_view text, std::string_view file,
                                    const Limits& limits) {
  ShardIndex index;
  index.file = std::string(file);
  IndexReader reader(text, file, limits, index);
  auto problem = read_json_events(text, file, {.bytes = max_index_bytes}, std::ref(reader));
  if (problem && problem->code.starts_with("json-")) {
    Problem told = make_problem("index-malformed", std::string(file), problem->message);
    told.offset = problem->offset;
    told.line = problem->line;
    return std::unexpected(std::move(told));
  }
  if (problem) return std::unexpected(std::move(*problem));
  if (!reader.has_map()) {
    return std::unexpected(
        make_problem("index-malformed", std::string(file), "the index has no weight_map"));
  }
  return index;
}

}  // namespace pedigree
