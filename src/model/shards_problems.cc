#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "model/shards_sets.h"

namespace pedigree {
namespace {

// Is this what a file of that extension holds? Extensions used for anything
// (.bin, .pt) promise only not to be one of the formats with a name of its own.
bool keeps_its_promise(std::string_view extension, std::string_view format) {
  if (extension == "safetensors" || extension == "gguf") return extension == format;
  constexpr std::array<std::string_view, 6> torch = {"bin", "pt", "pth", "ckpt", "pdparams", "jit"};
  if (std::ranges::find(torch, extension) != torch.end()) {
    return format == "torch-zip" || format == "pickle" || format == "zip" || format == "ggml";
  }
  if (extension == "h5" || extension == "hdf5") return format == "hdf5";
  if (extension == "npz") return format == "npz" || format == "zip";
  if (extension == "zip") return format == "zip" || format == "torch-zip" || format == "npz";
  if (extension == "keras") return format == "zip";
  using Promise = std::pair<std::string_view, std::string_view>;  // extension, format
  constexpr std::array<Promise, 5> promises = {{{"msgpack", "flax-msgpack"},
                                                {"pb", "saved-model"},
                                                {"pb", "onnx"},
                                                {"mlmodel", "core-ml"},
                                                {"pte", "executorch"}}};
  return extension == format ||
         std::ranges::find(promises, Promise(extension, format)) != promises.end();
}

std::uint64_t bytes_of(const WeightSet& set, const std::vector<WeightCandidate>& candidates) {
  std::uint64_t sum = 0;
  for (const std::size_t at : set.files) {
    sum += std::min(candidates[at].weight_size(), UINT64_MAX - sum);
  }
  return sum;
}

class Teller {
 public:
  Teller(const WeightChoice& choice, const std::vector<WeightCandidate>& candidates,
         const std::vector<ShardIndex>& indexes)
      : choice_(choice), candidates_(candidates), indexes_(indexes) {}

  std::vector<Problem> problems() {
    for (const WeightCandidate& candidate : candidates_) names(candidate);
    for (const WeightSet& set : choice_.chosen) pointers(set);
    for (const WeightSet& set : choice_.chosen) unread_format(set);
    for (const std::size_t at : choice_.extra) {
      add("index-extra-shard", candidates_[at].file.path,
          fmt::format("{} does not name this shard", choice_.chosen.front().title));
    }
    for (const WeightSet& set : choice_.others) other_set(set);
    other_folders();
    return std::move(problems_);
  }

 private:
  void add(std::string_view code, std::string file, std::string message) {
    problems_.push_back(make_problem(code, std::move(file), std::move(message)));
  }

  void names(const WeightCandidate& candidate) {
    if (candidate.format == nullptr) return;
    if (keeps_its_promise(candidate.name.extension, candidate.format->id)) return;
    add("format-mismatch", candidate.file.path,
        fmt::format("the name ends in \"{}\" and the content is {}",
                    shown(candidate.name.extension.substr(0, 40)), candidate.format->title));
  }

  void pointers(const WeightSet& set) {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    std::string first;
    std::string oid;
    for (const std::size_t at : set.files) {
      const WeightCandidate& candidate = candidates_[at];
      if (!candidate.pointer) continue;
      if (count++ == 0) {
        first = candidate.file.path;
        oid = candidate.pointer->oid;
      }
      bytes += std::min(candidate.pointer->size, UINT64_MAX - bytes);
    }
    if (count == 0) return;
    add("weights-not-downloaded", first,
        count == 1 ? fmt::format("a git-lfs pointer stands in place of {}, SHA-256 {}",
                                 byte_size(bytes), oid)
                   : fmt::format("git-lfs pointers stand in place of {} files with {}, the first "
                                 "with SHA-256 {}",
                                 count, byte_size(bytes), oid));
  }

  void unread_format(const WeightSet& set) {
    for (const std::size_t at : set.files) {
      const WeightCandidate& candidate = candidates_[at];
      if (candidate.format == nullptr || candidate.readable()) continue;
      add("format-unsupported", candidate.file.path,
          fmt::format("the content is {}, which is recognised but not read yet",
                      candidate.format->title));
      if (!candidate.format->remedy.empty()) {
        problems_.back().remedy = candidate.format->remedy;
      }
      return;
    }
  }

  void other_set(const WeightSet& set) {
    for (const std::size_t at : set.files) {
      const WeightCandidate& candidate = candidates_[at];
      if (candidate.unreadable) problems_.push_back(*candidate.unreadable);
      const bool named_for_it =
          candidate.name.extension == "safetensors" || candidate.name.extension == "gguf";
      if (named_for_it && candidate.format == nullptr && !candidate.pointer &&
          !candidate.unreadable) {
        add("not-a-weight-file", candidate.file.path,
            "the content is no weight format we know, whatever the name says");
      }
    }
    const WeightSet& chosen = choice_.chosen.front();
    if (set.index && set.files.empty()) {
      if (is_for_another_format(indexes_[*set.index], chosen)) return;
      add("index-missing-shard", set.title,
          fmt::format("none of its {} shards is there; {} was read",
                      indexes_[*set.index].shards.size(), chosen.title));
      return;
    }
    // A small file beside the model (a head, an embedding) is no second model.
    const bool rival = set.folder == chosen.folder && !set.adapter &&
                       bytes_of(set, candidates_) >= bytes_of(chosen, candidates_) / 8;
    if (!rival) return;
    add("index-stale-family", candidates_[set.files.front()].file.path,
        fmt::format("two sets of weights lie here: {} was read, {} was not", shown(chosen.title),
                    shown(set.title)));
  }

  // Downloaders that leave out *.bin fetch pytorch_model.bin.index.json all the same.
  bool is_for_another_format(const ShardIndex& index, const WeightSet& chosen) const {
    if (index.shards.empty() || chosen.files.empty()) return false;
    return parse_weight_name(index.shards.front()).extension !=
           candidates_[chosen.files.front()].name.extension;
  }

  // A pipeline keeps one model per subfolder; one of them was read.
  void other_folders() {
    const std::string& folder = choice_.chosen.front().folder;
    if (folder.empty()) return;
    std::size_t others = 0;
    for (const WeightSet& set : choice_.others)
      if (set.folder != folder) ++others;
    if (others == 0) return;
    add("several-weight-folders", folder.substr(0, folder.size() - 1),
        fmt::format("weights lie in several subfolders; only {} was read, {} other sets were not",
                    folder, others));
  }

  const WeightChoice& choice_;
  const std::vector<WeightCandidate>& candidates_;
  const std::vector<ShardIndex>& indexes_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> problems_of_choice(const WeightChoice& choice,
                                        const std::vector<WeightCandidate>& candidates,
                                        const std::vector<ShardIndex>& indexes) {
  if (choice.chosen.empty()) return {};
  return Teller(choice, candidates, indexes).problems();
}

}  // namespace pedigree
