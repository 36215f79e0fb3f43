// Weight files in a directory, grouped into sets, one of which is the model.
//
// Loaders choose by their own preference when several sets lie side by side;
// here the order is fixed and said aloud: sets that can be read before those
// that cannot, indexed before loose, model.safetensors before other names.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/formats.h"
#include "model/index.h"
#include "model/layout.h"
#include "model/shards_name.h"

namespace pedigree {

// A file that may hold weights, told by content and not by name.
struct WeightCandidate {
  ListedFile file = {};
  WeightName name = {};
  const Format* format = nullptr;          // null: no format we know
  std::optional<LfsPointer> pointer = {};  // stands in place of the file
  std::optional<Problem> unreadable = {};  // could not be opened or read

  bool readable() const { return format != nullptr && format->read != nullptr; }
  std::uint64_t weight_size() const { return pointer ? pointer->size : file.size; }
};

// Opens every file that might hold weights and looks at its first bytes.
std::vector<WeightCandidate> find_weight_candidates(const ModelLayout& layout);

struct WeightSet {
  std::vector<std::size_t> files = {};    // candidates, by shard number
  std::optional<std::size_t> index = {};  // which of the indexes lists these files
  std::string folder = {};
  std::string title = {};  // "model-*-of-00003.safetensors"
  bool adapter = false;
  bool loose = false;  // one file of a name no loader looks for
};

struct WeightChoice {
  std::vector<WeightSet> chosen = {};   // usually one; several loose files may be one model
  std::vector<std::size_t> extra = {};  // candidates: left-over shards of the chosen set
  std::vector<WeightSet> others = {};   // not read
};

WeightChoice choose_weights(const ModelLayout& layout,
                            const std::vector<WeightCandidate>& candidates,
                            const std::vector<ShardIndex>& indexes);

// What the choice itself has to tell: stale sets, extra shards, pointers, formats
// that are not read, names that promise another format.
std::vector<Problem> problems_of_choice(const WeightChoice& choice,
                                        const std::vector<WeightCandidate>& candidates,
                                        const std::vector<ShardIndex>& indexes);

}  // namespace pedigree
