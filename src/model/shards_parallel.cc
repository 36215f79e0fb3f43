#include "model/shards_parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace pedigree {
namespace {

enum class Cut { rows, columns, embedding, none };

using Rule = std::pair<std::string_view, Cut>;  // by a part of the name, between dots

constexpr std::array rules = {
    Rule{"wq", Cut::rows},    Rule{"wk", Cut::rows},    Rule{"wv", Cut::rows},
    Rule{"w1", Cut::rows},    Rule{"w3", Cut::rows},    Rule{"output", Cut::rows},
    Rule{"wo", Cut::columns}, Rule{"w2", Cut::columns}, Rule{"tok_embeddings", Cut::embedding}};

bool holds_part(std::string_view name, std::string_view part) {
  while (!name.empty()) {
    const std::string_view first = name.substr(0, name.find('.'));
    if (first == part) return true;
    name.remove_prefix(std::min(first.size() + 1, name.size()));
  }
  return false;
}

Cut cut_of(std::string_view name) {
  const auto rule =
      std::ranges::find_if(rules, [&](const Rule& each) { return holds_part(name, each.first); });
  return rule == rules.end() ? Cut::none : rule->second;
}

using Parts = std::vector<const StoredTensor*>;

class Joiner {
 public:
  Joiner(const std::vector<std::vector<StoredTensor>>& files,
         const std::vector<std::unique_ptr<Source>>& sources)
      : files_(files), sources_(sources) {}

  ParallelTensors join() {
    std::map<std::string_view, Parts> by_name;
    for (const std::vector<StoredTensor>& file : files_) {
      for (const StoredTensor& tensor : file) by_name[tensor.entry.name].push_back(&tensor);
    }
    find_width(by_name);
    find_copies(by_name);
    for (const auto& [name, parts] : by_name) take(parts);
    if (untold_ > 0 && !by_name.empty()) {
      const StoredTensor& any = *by_name.begin()->second.front();
      result_.problems.push_back(
          make_problem("shard-layout", sources_[any.shard]->name(),
                       fmt::format("{} more tensors do not fit together", untold_)));
    }
    return std::move(result_);
  }

 private:
  void tell(std::string_view code, const StoredTensor& tensor, std::string message) {
    constexpr std::size_t most = 20;
    if (result_.problems.size() >= most) {
      ++untold_;
      return;
    }
    result_.problems.push_back(
        make_problem(code, sources_[tensor.shard]->name(), std::move(message)));
  }

  // The model's width, by which an embedding shows how it was cut.
  void find_width(const std::map<std::string_view, Parts>& by_name) {
    const auto norm = by_name.find("norm.weight");
    if (norm == by_name.end() || norm->second.front()->entry.shape.size() != 1) return;
    width_ = norm->second.front()->entry.shape[0];
  }

  // Where there are fewer heads of keys than files, neighbouring files hold the same ones.
  void find_copies(const std::map<std::string_view, Parts>& by_name) {
    for (const auto& [name, parts] : by_name) {
      if (!holds_part(name, "wk") || !are_alike(parts)) continue;
      const auto first = glimpse_of(*parts.front());
      if (!first) continue;
      std::size_t run = 1;
      while (run < parts.size() && glimpse_of(*parts[run]) == first) ++run;
      if (parts.size() % run == 0) copies_ = run;
      return;
    }
  }

  bool are_alike(const Parts& parts) const {
    return parts.size() == files_.size() &&
           std::ranges::all_of(parts, [&](const StoredTensor* part) {
             return part->entry.type == parts.front()->entry.type &&
                    part->entry.shape == parts.front()->entry.shape;
           });
  }

  // Some bytes from the beginning, the middle and the end; none where they cannot be read
  // or are too plain to tell one matrix from another.
  std::optional<std::vector<std::byte>> glimpse_of(const StoredTensor& tensor) const {
    constexpr std::uint64_t window = 1024;
    const Extent whole = tensor.entry.extent;
    const std::uint64_t size = std::min(window, whole.size());
    std::vector<std::byte> bytes(static_cast<std::size_t>(3 * size));
    for (const std::uint64_t third : {0U, 1U, 2U}) {
      const auto place = std::span(bytes).subspan(third * size, size);
      const std::uint64_t begin = whole.begin + (whole.size() - size) / 2 * third;
      if (sources_[tensor.shard]->read_at(begin, place)) return std::nullopt;
    }
    constexpr std::size_t few = 8;
    std::set<std::byte> values(bytes.begin(), bytes.end());
    return values.size() > few ? std::optional(std::move(bytes)) : std::nullopt;
  }

  // One of each copies_ parts.
  Parts without_copies(const Parts& parts, const std::string& name) {
    if (copies_ == 1 || !(holds_part(parts.front()->entry.name, "wk") ||
                          holds_part(parts.front()->entry.name, "wv"))) {
      return parts;
    }
    Parts result;
    for (std::size_t at = 0; at < parts.size(); ++at) {
      if (at % copies_ == 0) {
        result.push_back(parts[at]);
      } else if (glimpse_of(*parts[at]) != glimpse_of(*result.back())) {
        tell("shard-replica-mismatch", *parts[at],
             fmt::format("\"{}\" is not what the file before holds", name));
      }
    }
    return result;
  }

  void take(const Parts& parts) {
    const StoredTensor& first = *parts.front();
    const std::string name = shown(first.entry.name.substr(0, 200));
    if (parts.size() != files_.size()) {
      tell("shard-layout", first,
           fmt::format("\"{}\" lies in {} of {} files", name, parts.size(), files_.size()));
      return;
    }
    if (!are_alike(parts)) {
      tell("shard-layout", first,
           fmt::format("\"{}\" has other shapes or types in other files", name));
      return;
    }
    Cut cut = first.entry.shape.size() == 2 ? cut_of(first.entry.name) : Cut::none;
    if (cut == Cut::embedding) {
      cut = first.entry.shape[1] == width_ ? Cut::rows : Cut::columns;
    }
    if (cut == Cut::none || first.entry.extent.size() == 0) {
      take_replicated(parts, name);
    } else {
      const Parts distinct = without_copies(parts, name);
      if (distinct.size() == 1) {
        result_.whole.push_back(first);
        return;
      }
      result_.joined.push_back(joined(distinct, cut));
      check_width(result_.joined.back().entry, first);
    }
  }

  // The queries of all heads together are as wide as the model.
  void check_width(const TensorEntry& whole, const StoredTensor& first) {
    if (width_ == 0 || told_width_ || !holds_part(whole.name, "wq")) return;
    if (whole.shape[0] == width_) return;
    told_width_ = true;
    tell("shard-layout", first,
         fmt::format("the files together hold {} of {} rows of \"{}\": one of them is missing, or "
                     "too many are there",
                     whole.shape[0], width_, shown(whole.name.substr(0, 200))));
  }

  void take_replicated(const Parts& parts, const std::string& name) {
    constexpr std::uint64_t largest = std::uint64_t{1} << 20U;
    const StoredTensor& first = *parts.front();
    if (first.entry.extent.size() > largest) {
      tell("shard-layout", first,
           fmt::format("nothing tells how \"{}\" was cut; the first file's part was left out",
                       name));
      return;
    }
    const auto bytes = bytes_of(first);
    for (const StoredTensor* part : parts) {
      if (bytes && bytes_of(*part) == bytes) continue;
      tell("shard-replica-mismatch", *part,
           fmt::format("\"{}\" is not what the first file holds", name));
      break;
    }
    result_.whole.push_back(first);
  }

  std::optional<std::vector<std::byte>> bytes_of(const StoredTensor& tensor) const {
    std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.entry.extent.size()));
    if (sources_[tensor.shard]->read_at(tensor.entry.extent.begin, bytes)) return std::nullopt;
    return bytes;
  }

  JoinedTensor joined(const Parts& parts, Cut cut) const {
    const TensorEntry& first = parts.front()->entry;
    JoinedTensor tensor = {.entry = first,
                           .first_part = {.shard = parts.front()->shard, .extent = first.extent}};
    tensor.entry.shape[cut == Cut::rows ? 0 : 1] *= parts.size();
    tensor.entry.extent = {.begin = 0, .end = first.extent.size() * parts.size()};
    tensor.rows = cut == Cut::rows ? 1 : std::max<std::uint64_t>(first.shape[0], 1);
    for (const StoredTensor* part : parts) {
      tensor.parts.push_back({.source = sources_[part->shard].get(),
                              .begin = part->entry.extent.begin,
                              .row_bytes = part->entry.extent.size() / tensor.rows});
    }
    return tensor;
  }

  const std::vector<std::vector<StoredTensor>>& files_;
  const std::vector<std::unique_ptr<Source>>& sources_;
  ParallelTensors result_;
  std::uint64_t width_ = 0;
  std::size_t copies_ = 1;  // of each part of wk and wv
  bool told_width_ = false;
  std::size_t untold_ = 0;
};

}  // namespace

ParallelTensors join_parallel_shards(const std::vector<std::vector<StoredTensor>>& files,
                                     const std::vector<std::unique_ptr<Source>>& sources) {
  check(files.size() > 1, "one file is no set of shares");
  return Joiner(files, sources).join();
}

}  // namespace pedigree
