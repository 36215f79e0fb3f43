// Merges that decide entry by entry: TIES, DARE, DELLA and their kin.
//
// Counted from a base, each entry of the subject's change is nothing, one
// parent's change, or a sum of several parents', each times one factor per
// matrix. No single weight per matrix can describe that, and no training does
// it: the test asks what share of the entries take one of those few values to
// within their own rounding, and how many would by chance.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compare/merge_parts.h"

namespace pedigree {

struct EntryParent {
  std::size_t candidate = 0;
  double factor = 0;  // mean over the matrices, on entries where it stands alone
  double kept = 0;    // share of its changed entries that were kept
  double weight = 0;  // of the merge: factor × kept, or its share of sums
};

struct EntryFit {
  std::string method = {};  // ties, ties/arcee-fusion, dare-linear, dare-ties, della
  std::size_t base = 0;
  std::vector<EntryParent> parents = {};
  double matched = 0;          // share of the entries that take one of the values
  double matched_changed = 0;  // of those that differ from the base
  double by_chance = 0;        // the same against the changes of other entries
  double as_base = 0;          // share of the entries that are the base's
  double reversed = 0;         // matched, with subject and base exchanged
  double larger = 0;           // how often a kept change is larger than a dropped one
  bool scaled = false;         // changes were multiplied by something other than one
  std::size_t samples = 0;
};

// The best reading with any candidate as the base; nothing under the shares that
// decision 11 asks for.
std::optional<EntryFit> fit_entries(const MergeParts& parts);

}  // namespace pedigree
