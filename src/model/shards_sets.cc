#include "model/shards_sets.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

namespace pedigree {
namespace {

constexpr std::uint64_t head_bytes = 4096;
constexpr std::size_t max_sniffed = 512;  // files whose names do not promise weights

// Our own files lie beside weights, and are none. Another file of that name is looked at.
bool begins_as_fingerprint(std::span<const std::byte> head) {
  constexpr std::string_view start = "{\"__metadata__\":{\"pedigree-fingerprint\":";
  constexpr std::size_t header_length = 8;
  return head.size() >= header_length + start.size() &&
         std::ranges::equal(
             head.subspan(header_length, start.size()), start,
             [](std::byte byte, char letter) { return std::to_integer<char>(byte) == letter; });
}

WeightCandidate look_at(const ListedFile& file) {
  WeightCandidate candidate;
  candidate.file = file;
  candidate.name = parse_weight_name(file.path);
  auto source = open_file(file.real_path, file.path);
  if (!source) {
    candidate.unreadable = std::move(source.error());
    return candidate;
  }
  std::vector<std::byte> head(static_cast<std::size_t>(std::min((*source)->size(), head_bytes)));
  if (auto problem = (*source)->read_at(0, head)) {
    candidate.unreadable = std::move(problem);
    return candidate;
  }
  if ((*source)->size() < 1024) {
    std::string text(head.size(), '\0');
    std::ranges::transform(head, text.begin(),
                           [](std::byte byte) { return std::to_integer<char>(byte); });
    candidate.pointer = read_lfs_pointer(text);
  }
  const bool ours = side_file_kind(file.path) == "fingerprint" && begins_as_fingerprint(head);
  if (!candidate.pointer && !ours) candidate.format = recognise(head, (*source)->size());
  return candidate;
}

// Preferences among names, as loaders have them.
std::size_t stem_rank(const std::string& stem) {
  constexpr std::array<std::string_view, 6> known = {
      "model",        "pytorch_model", "diffusion_pytorch_model",
      "consolidated", "adapter_model", "flax_model"};
  return static_cast<std::size_t>(std::ranges::find(known, stem) - known.begin());
}
bool is_known_stem(const std::string& stem) { return stem_rank(stem) < 6; }

class Chooser {
 public:
  Chooser(const ModelLayout& layout, const std::vector<WeightCandidate>& candidates,
          const std::vector<ShardIndex>& indexes)
      : layout_(layout), candidates_(candidates), indexes_(indexes) {}

  WeightChoice choose() {
    group_indexed();
    group_by_name();
    if (sets_.empty()) return {};
    std::ranges::stable_sort(sets_, {}, [&](const WeightSet& set) { return rank(set); });
    WeightChoice choice;
    choice.chosen.push_back(std::move(sets_.front()));
    for (std::size_t at = 1; at < sets_.size(); ++at) {
      const bool joins = joins_loose_files(choice.chosen.front(), sets_[at]);
      (joins ? choice.chosen : choice.others).push_back(std::move(sets_[at]));
    }
    take_left_over_shards(choice);
    return choice;
  }

 private:
  void group_indexed() {
    std::map<std::string_view, std::size_t> by_path;
    for (std::size_t at = 0; at < candidates_.size(); ++at) {
      by_path.emplace(candidates_[at].file.path, at);
    }
    for (std::size_t index = 0; index < indexes_.size(); ++index) {
      WeightSet set;
      set.index = index;
      set.folder = std::string(folder_of(indexes_[index].file));
      set.title = indexes_[index].file;
      for (const std::string& shard : indexes_[index].shards) {
        const auto found = by_path.find(set.folder + shard);
        if (found != by_path.end()) set.files.push_back(found->second);
      }
      grouped_.insert(set.files.begin(), set.files.end());
      sets_.push_back(std::move(set));
    }
  }

  void group_by_name() {
    std::map<std::string, WeightSet> by_name;
    for (std::size_t at = 0; at < candidates_.size(); ++at) {
      const WeightCandidate& candidate = candidates_[at];
      if (grouped_.contains(at)) continue;
      WeightSet& set = by_name[candidate.name.set()];
      set.files.push_back(at);
      set.folder = candidate.name.folder;
      set.title = candidate.name.pattern();
      set.adapter = candidate.name.stem.starts_with("adapter_model");
      set.loose = !candidate.name.number && !is_known_stem(candidate.name.stem);
    }
    for (auto& [key, set] : by_name) {
      std::ranges::sort(set.files, {},
                        [&](std::size_t at) { return candidates_[at].name.number.value_or(0); });
      sets_.push_back(std::move(set));
    }
  }

  // Smaller is better; every component is a plain order, so the choice depends on
  // nothing but names and contents.
  std::tuple<bool, bool, int, bool, bool, bool, std::size_t, bool, std::uint64_t, std::string> rank(
      const WeightSet& set) const {
    const bool given = set.index && indexes_[*set.index].file == layout_.given_index;
    int reading = 3;
    std::uint64_t bytes = 0;
    for (const std::size_t at : set.files) {
      const WeightCandidate& file = candidates_[at];
      bytes += std::min(file.weight_size(), UINT64_MAX - bytes);
      const int one = file.readable() ? 0 : file.pointer ? 1 : file.format != nullptr ? 2 : 3;
      reading = std::min(reading, one);
    }
    // Loaders take safetensors before pickles.
    const bool other =
        !set.files.empty() && candidates_[set.files.front()].name.extension != "safetensors";
    const std::string stem = set.files.empty() ? "" : candidates_[set.files.front()].name.stem;
    const bool variant = !set.files.empty() && !candidates_[set.files.front()].name.variant.empty();
    // Among subfolders (components of a pipeline) the largest is the model.
    const std::uint64_t size_order = set.folder.empty() ? 0 : UINT64_MAX - bytes;
    return {!given,     !set.folder.empty(), reading, set.adapter, other,
            !set.index, stem_rank(stem),     variant, size_order,  set.title};
  }

  // Files of names no loader knows, side by side and all readable: parts of one
  // model, unless their tensors turn out to be the same ones (shards.cc looks).
  bool joins_loose_files(const WeightSet& first, const WeightSet& other) const {
    const auto plain = [&](const WeightSet& set) {
      return set.loose && !set.index && !set.adapter &&
             std::ranges::all_of(set.files,
                                 [&](std::size_t at) { return candidates_[at].readable(); });
    };
    if (!plain(first) || !plain(other) || first.folder != other.folder) return false;
    const WeightName& a = candidates_[first.files.front()].name;
    const WeightName& b = candidates_[other.files.front()].name;
    return a.extension == b.extension && a.variant == b.variant;
  }

  // Shards beside an index that does not name them: part of no complete set.
  void take_left_over_shards(WeightChoice& choice) const {
    const WeightSet& chosen = choice.chosen.front();
    if (!chosen.index || chosen.files.empty()) return;
    const WeightName& name = candidates_[chosen.files.front()].name;
    std::erase_if(choice.others, [&](const WeightSet& set) {
      if (set.files.empty()) return false;
      const WeightName& other = candidates_[set.files.front()].name;
      const bool same_stem = other.folder == name.folder && other.stem == name.stem &&
                             other.extension == name.extension && other.variant == name.variant &&
                             other.number;
      if (set.index || !same_stem || set.files.size() == other.count) return false;
      choice.extra.insert(choice.extra.end(), set.files.begin(), set.files.end());
      return true;
    });
  }

  const ModelLayout& layout_;
  const std::vector<WeightCandidate>& candidates_;
  const std::vector<ShardIndex>& indexes_;
  std::set<std::size_t> grouped_;
  std::vector<WeightSet> sets_;
};

}  // namespace

std::vector<WeightCandidate> find_weight_candidates(const ModelLayout& layout) {
  std::vector<WeightCandidate> candidates;
  std::size_t sniffed = 0;
  for (const ListedFile& file : layout.files) {
    const bool named = layout.single_file || has_weight_name(file.path);
    const std::string_view kind = side_file_kind(file.path);
    const bool odd = !named && folder_of(file.path).empty() &&
                     (kind == "other" || kind == "fingerprint") && ++sniffed <= max_sniffed;
    if (!named && !odd) continue;
    WeightCandidate candidate = look_at(file);
    // A zip or a pickle under a name of its own is somebody's side file.
    const bool of_weights = candidate.readable() && !candidate.format->general;
    if (named || of_weights) candidates.push_back(std::move(candidate));
  }
  return candidates;
}

WeightChoice choose_weights(const ModelLayout& layout,
                            const std::vector<WeightCandidate>& candidates,
                            const std::vector<ShardIndex>& indexes) {
  return Chooser(layout, candidates, indexes).choose();
}

}  // namespace pedigree
