#include "model/shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/text.h"
#include "model/claims_metadata.h"
#include "model/external_data.h"
#include "model/gguf_header.h"
#include "model/gguf_split.h"
#include "model/shards_files.h"
#include "model/shards_parallel.h"
#include "model/shards_sets.h"

namespace pedigree {
namespace {

struct ReadFile {
  std::size_t candidate = 0;
  HeldShard::State state = HeldShard::State::unreadable;
  std::size_t shard = 0;  // in Model::shards, when read
  std::string_view format = {};
  std::vector<TensorEntry> tensors = {};
  // The last of the tensors lie in the shard after `shard`, which arranges its bytes.
  std::vector<Extent> gathered_from = {};
  std::vector<StoredTensor> external = {};                   // in files beside it
  std::vector<std::pair<std::string, TensorUse>> uses = {};  // sorted by name of tensor

  // All of them, with what the graph makes of each.
  std::vector<StoredTensor> all_stored() {
    std::vector<StoredTensor> all;
    all.reserve(tensors.size() + external.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) all.push_back(stored(i));
    std::ranges::move(external, std::back_inserter(all));
    for (StoredTensor& tensor : all) {
      const auto use = std::ranges::lower_bound(uses, tensor.entry.name, {},
                                                &std::pair<std::string, TensorUse>::first);
      if (use != uses.end() && use->first == tensor.entry.name) tensor.use = use->second;
    }
    return all;
  }

  StoredTensor stored(std::size_t at) {
    const std::size_t in_order = tensors.size() - gathered_from.size();
    if (at < in_order) return {.entry = std::move(tensors[at]), .shard = shard};
    return {.entry = std::move(tensors[at]),
            .shard = shard + 1,
            .gathered_from = FilePlace{.shard = shard, .extent = gathered_from[at - in_order]}};
  }
};

class ShardReader {
 public:
  ShardReader(const ModelLayout& layout, const Limits& limits, Model& model)
      : layout_(layout), limits_(limits), model_(model), external_(layout, limits, model) {}

  WeightsOutcome read() {
    candidates_ = find_weight_candidates(layout_);
    read_indexes();
    WeightChoice choice = choose_weights(layout_, candidates_, indexes_);
    add_model_files(layout_, candidates_, model_.files);
    add_problems(problems_of_choice(choice, candidates_, indexes_));
    WeightsOutcome outcome{.listed = listed_tensors()};
    if (choice.chosen.empty()) return outcome;
    for (std::size_t at = 0; at < choice.chosen.size(); ++at) read_set(choice, at);
    const WeightSet& first = choice.chosen.front();
    if (first.index) {
      hold_against_index(*first.index);
    } else {
      name_missing_shards(first);
    }
    add_problems(check_split(parts_));
    outcome.header = std::move(header_);
    outcome.header_file = std::move(header_file_);
    outcome.folder = first.folder;
    outcome.adapter_file = first.adapter;
    outcome.any_file = std::ranges::any_of(candidates_, [](const WeightCandidate& candidate) {
      return candidate.format != nullptr || candidate.pointer || candidate.unreadable;
    });
    collect_tensors(first);
    count_pointers(choice);
    return outcome;
  }

 private:
  void add_problems(std::vector<Problem> problems) {
    std::ranges::move(problems, std::back_inserter(model_.problems));
  }

  void read_indexes() {
    for (const ListedFile& file : layout_.files) {
      if (side_file_kind(file.path) != "index") continue;
      auto text = read_small_file(file.real_path, file.path, max_index_bytes);
      if (!text) {
        model_.problems.push_back(std::move(text.error()));
        continue;
      }
      auto index = read_shard_index(*text, file.path, limits_);
      if (!index) {
        model_.problems.push_back(std::move(index.error()));
        continue;
      }
      add_problems(std::exchange(index->problems, {}));
      indexes_.push_back(std::move(*index));
    }
  }

  ListedTensors listed_tensors() const {
    ListedTensors listed;
    if (indexes_.empty()) return listed;
    const ShardIndex& first = indexes_.front();
    listed = {.file = first.file, .bytes = first.total_size};
    listed.names.reserve(first.tensors.size());
    for (const auto& [name, shard] : first.tensors) listed.names.push_back(name);
    return listed;
  }

  // Loose files are parts of one model only while their names do not repeat.
  void read_set(const WeightChoice& choice, std::size_t which) {
    const WeightSet& set = choice.chosen[which];
    std::vector<ReadFile> files;
    for (const std::size_t at : set.files) {
      if (auto file = read_file(at)) files.push_back(std::move(*file));
    }
    if (which > 0 && repeats_names(files)) {
      model_.problems.push_back(
          make_problem("index-stale-family", candidates_[set.files.front()].file.path,
                       fmt::format("two sets of weights lie here: {} was read, {} was not",
                                   shown(choice.chosen.front().title), shown(set.title))));
      return;
    }
    for (ReadFile& file : files) {
      for (const TensorEntry& entry : file.tensors) names_.insert(entry.name);
      for (const StoredTensor& tensor : file.external) names_.insert(tensor.entry.name);
      files_.push_back(std::move(file));
    }
  }

  bool repeats_names(const std::vector<ReadFile>& files) const {
    return std::ranges::any_of(files, [&](const ReadFile& file) {
      return std::ranges::any_of(
                 file.tensors,
                 [&](const TensorEntry& entry) { return names_.contains(entry.name); }) ||
             std::ranges::any_of(file.external, [&](const StoredTensor& tensor) {
               return names_.contains(tensor.entry.name);
             });
    });
  }

  std::optional<ReadFile> read_file(std::size_t at) {
    const WeightCandidate& candidate = candidates_[at];
    ReadFile file{.candidate = at};
    if (candidate.pointer) {
      file.state = HeldShard::State::pointer;
      return file;
    }
    if (candidate.unreadable) {
      model_.problems.push_back(*candidate.unreadable);
      return file;
    }
    // Told once for the whole set by problems_of_choice.
    if (candidate.format != nullptr && !candidate.readable()) return file;
    auto source = open_file(candidate.file.real_path, candidate.file.path);
    if (!source) {
      model_.problems.push_back(std::move(source.error()));
      return file;
    }
    auto weights = read_weights(**source, limits_);
    if (!weights) {
      model_.problems.push_back(std::move(weights.error()));
      return file;
    }
    add_problems(std::move(weights->problems));
    add_metadata_claims(weights->metadata, candidate.file.path, model_.claims);
    take_header(std::move(weights->fields), candidate, weights->tensors.size());
    file.state = HeldShard::State::read;
    file.format = weights->format;
    file.shard = model_.shards.size();
    file.tensors = std::move(weights->tensors);
    model_.shards.push_back(std::move(*source));
    if (!weights->arranged.empty()) add_arranged(weights->arranged, file);
    file.external = external_.add(candidate.file.path, std::move(weights->external));
    file.uses = std::move(weights->uses);
    return file;
  }

  // The first file's header speaks for all parts of a split.
  void take_header(std::vector<HeaderField> fields, const WeightCandidate& candidate,
                   std::size_t tensors) {
    if (fields.empty()) return;
    add_header_claims(fields, candidate.file.path, model_.claims);
    parts_.push_back(split_part(fields, candidate.file.path, tensors));
    if (!header_.empty()) return;
    header_ = std::move(fields);
    header_file_ = candidate.file.path;
  }

  void add_arranged(std::vector<ArrangedTensor>& arranged, ReadFile& file) {
    model_.shards.push_back(arranged_source(*model_.shards[file.shard], arranged));
    for (ArrangedTensor& tensor : arranged) {
      file.gathered_from.push_back(tensor.arrangement.stored);
      file.tensors.push_back(std::move(tensor.entry));
    }
  }

  void hold_against_index(std::size_t which) {
    const ShardIndex& index = indexes_[which];
    const std::string folder(folder_of(index.file));
    std::map<std::string_view, const ReadFile*> by_path;
    for (const ReadFile& file : files_) by_path[candidates_[file.candidate].file.path] = &file;
    std::vector<HeldShard> held;
    for (const std::string& shard : index.shards) {
      const auto found = by_path.find(folder + shard);
      held.push_back(found == by_path.end() ? HeldShard{}
                                            : HeldShard{.state = found->second->state,
                                                        .tensors = &found->second->tensors});
    }
    add_problems(check_shard_index(index, held));
    for (const auto& [name, shard] : index.tensors) {
      const auto found = by_path.find(folder + index.shards[shard]);
      if (found != by_path.end()) preferred_[name] = found->second->shard;
    }
  }

  // Numbered shards without an index: the names say how many there should be.
  void name_missing_shards(const WeightSet& set) {
    const WeightName& name = candidates_[set.files.front()].name;
    if (!name.number || name.count == 0 || set.files.size() >= name.count) return;
    std::set<std::uint32_t> present;
    for (const std::size_t at : set.files) present.insert(candidates_[at].name.number.value_or(0));
    std::uint32_t missing = 1;
    while (present.contains(missing)) ++missing;
    if (layout_.single_file) {
      Problem problem = make_problem(
          "index-missing-shard", name.folder + name.sibling(missing),
          fmt::format("one shard of {} was given as a file; those beside it were not looked at",
                      name.count));
      problem.remedy = "Give the directory, or the index of the shards.";
      return model_.problems.push_back(std::move(problem));
    }
    model_.problems.push_back(
        make_problem("index-missing-shard", name.folder + name.sibling(missing),
                     fmt::format("{} of {} shards are not there, this one first",
                                 name.count - present.size(), name.count)));
  }

  // Meta's files, each of which holds a share of every matrix.
  bool is_parallel(const WeightSet& set) const {
    if (set.files.empty()) return false;
    const WeightName& name = candidates_[set.files.front()].name;
    return name.stem == "consolidated" && name.number && name.count == 0 && files_.size() > 1 &&
           std::ranges::all_of(
               files_, [](const ReadFile& file) { return file.state == HeldShard::State::read; });
  }

  void join_parallel(const std::vector<std::vector<StoredTensor>>& files) {
    ParallelTensors all = join_parallel_shards(files, model_.shards);
    add_problems(std::move(all.problems));
    std::ranges::move(all.whole, std::back_inserter(model_.tensors));
    if (all.joined.empty()) return;
    const std::size_t shard = model_.shards.size();
    model_.shards.push_back(joined_source(all.joined));
    for (JoinedTensor& tensor : all.joined) {
      model_.tensors.push_back(
          {.entry = std::move(tensor.entry), .shard = shard, .gathered_from = tensor.first_part});
    }
  }

  void collect_tensors(const WeightSet& set) {
    std::vector<std::vector<StoredTensor>> stored;
    for (ReadFile& file : files_) {
      if (file.state != HeldShard::State::read) continue;
      model_.formats.emplace_back(file.format);
      stored.push_back(file.all_stored());
    }
    if (is_parallel(set)) {
      join_parallel(stored);
    } else {
      for (auto& tensors : stored) std::ranges::move(tensors, std::back_inserter(model_.tensors));
    }
    for (const std::size_t at : set.files) {
      const Format* format = candidates_[at].format;
      if (format != nullptr && format->read == nullptr) model_.formats.emplace_back(format->id);
    }
    std::ranges::sort(model_.formats);
    const auto repeated = std::ranges::unique(model_.formats);
    model_.formats.erase(repeated.begin(), repeated.end());
    std::ranges::stable_sort(
        model_.tensors, {},
        [](const StoredTensor& tensor) -> const std::string& { return tensor.entry.name; });
    drop_duplicates();
    for (const StoredTensor& tensor : model_.tensors) {
      model_.weight_bytes += tensor.entry.extent.size();
      if (tensor.entry.type->kind == ElementType::Kind::floating) {
        model_.parameters += tensor.entry.element_count();
      }
    }
  }

  // Of equal names the index's choice stays, or the first shard's.
  void drop_duplicates() {
    std::vector<StoredTensor> kept;
    kept.reserve(model_.tensors.size());
    std::size_t dropped = 0;
    for (StoredTensor& tensor : model_.tensors) {
      if (kept.empty() || kept.back().entry.name != tensor.entry.name) {
        kept.push_back(std::move(tensor));
        continue;
      }
      StoredTensor& rival = kept.back();
      if (++dropped <= 20) {
        model_.problems.push_back(
            make_problem("index-duplicate-tensor", model_.shards[tensor.shard]->name(),
                         fmt::format("the tensor \"{}\" lies in \"{}\" too",
                                     shown(tensor.entry.name.substr(0, 200)),
                                     shown(model_.shards[rival.shard]->name()))));
      }
      const auto wanted = preferred_.find(tensor.entry.name);
      if (wanted != preferred_.end() && source_of(wanted->second) == source_of(tensor.shard)) {
        rival = std::move(tensor);
      }
    }
    model_.tensors = std::move(kept);
  }

  // The file behind a shard that arranges the bytes of another.
  const Source* source_of(std::size_t shard) const {
    const Source* source = model_.shards[shard].get();
    return source->arranges() == nullptr ? source : source->arranges();
  }

  void count_pointers(const WeightChoice& choice) {
    bool all = true;
    bool any = false;
    for (const WeightSet& set : choice.chosen) {
      for (const std::size_t at : set.files) {
        const WeightCandidate& candidate = candidates_[at];
        any = true;
        all = all && candidate.pointer.has_value();
        if (!candidate.pointer) continue;
        model_.missing_bytes +=
            std::min(candidate.pointer->size, UINT64_MAX - model_.missing_bytes);
      }
    }
    model_.only_pointers = any && all;
  }

  const ModelLayout& layout_;
  const Limits& limits_;
  Model& model_;
  ExternalData external_;
  std::vector<WeightCandidate> candidates_;
  std::vector<ShardIndex> indexes_;
  std::vector<ReadFile> files_;
  std::unordered_set<std::string> names_;
  std::unordered_map<std::string_view, std::size_t> preferred_;  // name to shard, by the index
  std::vector<SplitPart> parts_;
  std::vector<HeaderField> header_;
  std::string header_file_;
};

}  // namespace

WeightsOutcome add_weights(const ModelLayout& layout, const Limits& limits, Model& model) {
  return ShardReader(layout, limits, model).read();
}

}  // namespace pedigree
