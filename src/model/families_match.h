// Which family's names a model uses, believed only where shapes agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/config_facts.h"
#include "model/families.h"
#include "model/head_counts.h"
#include "model/model.h"

namespace pedigree {

// A stored tensor taken for one of a family's.
struct MatchedTensor {
  std::size_t tensor = 0;  // index into ModelInfo::tensors
  const FamilyTensor* as = nullptr;
  int layer = -1;
  int expert = -1;
  bool misnamed = false;  // it carries the name of another of its layer
};

// Ollama's converter of Mixtral writes the experts' w2 as up and w3 as down
// (convert/convert_mixtral.go): where the shape of the gate beside them says so, the two change
// places. Experts as wide as the model show nothing, and are left as they are.
void put_experts_right(std::span<const StoredTensor> stored, std::span<MatchedTensor> matched);

// The sizes a set of matched tensors agrees on, each by majority: a tensor that
// carries another's name is outvoted. A tie leaves the size unknown.
class Sizes {
 public:
  Sizes(std::span<const StoredTensor> stored, std::span<const MatchedTensor> matched);

  std::optional<std::uint64_t> find(Symbol symbol, int layer) const;
  std::optional<std::uint64_t> evaluate(const SizeFormula& formula, int layer) const;
  bool confirms(const MatchedTensor& matched, const StoredTensor& stored) const;

 private:
  struct Known {
    int scope = -1;  // layer, or -1 for the whole model
    Symbol symbol = Symbol::hidden;
    std::uint64_t size = 0;
  };

  void add_votes(const MatchedTensor& one, const StoredTensor& stored, bool sums,
                 std::vector<Known>& votes) const;
  std::optional<Known> vote_of(const SizeFormula& formula, int layer, std::uint64_t size) const;
  void count(std::vector<Known> votes);

  std::vector<Known> known_;  // sorted by scope and symbol
};

struct FamilyMatch {
  const Family* family = nullptr;           // of families()
  const Family* spelling = nullptr;         // whose names were found: the same, or its GGUF form
  std::vector<MatchedTensor> matched = {};  // names known and shapes confirmed
  std::vector<std::string> wrappers = {};   // "module.": what names carried in front, sorted
  double count_share = 0;                   // of the tensors explained, buffers included
  double byte_share = 0;
  double completeness = 0;  // of the family's required tensors, those seen at least once

  double explained() const { return (count_share + byte_share) / 2; }
};

// The families held against the tensors, best first: the two best at least, those the config
// names, and all that names alone do not tell to be worse. Ties go to the more
// complete match, then to the config's model_type, then to the family that asks
// for more, then to one without peculiarities that tensors cannot show, then to
// a reference family.
std::vector<FamilyMatch> rank_families(std::span<const StoredTensor> stored,
                                       const ConfigFacts& config);

// The same by names alone, which say nothing of shapes: every family that knows any, each in
// its better spelling. FamilyMatch::byte_share is its count_share.
std::vector<FamilyMatch> rank_families_by_names(std::span<const StoredTensor> named,
                                                const ConfigFacts& config);

// Says in which order rows of heads are stored, in rotary pairs or with q, k and v taking
// turns. Parts whose turns nobody can count, since `counts` are unknown, lose their role.
void set_row_orders(std::span<const MatchedTensor> matched, const HeadCounts& counts,
                    std::vector<CanonicalTensor>& canonical);

// The logical tensors a set of matched ones holds, sorted by layer, role, expert.
std::vector<CanonicalTensor> canonical_tensors(std::span<const StoredTensor> stored,
                                               std::span<const MatchedTensor> matched,
                                               const Sizes& sizes);

}  // namespace pedigree
