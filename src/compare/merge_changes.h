// Changes counted from a base, entry by entry: the few values that a sparse merge
// leaves an entry to take.
#pragma once

#include <cstddef>
#include <vector>

#include "compare/merge_parts.h"

namespace pedigree {

struct Reading {
  std::size_t base = 0;
  std::vector<std::size_t> parents = {};
  bool reversed = false;  // the base's change counted from the subject
};

// One matrix counted from a base.
struct Counted {
  std::vector<double> change = {};                // of the subject
  std::vector<std::vector<double>> parents = {};  // changes of the parents
  std::vector<double> unit = {};
};

Counted counted(const MergePart& part, const Reading& reading);

// What one matrix's entries may be: factor[j]·change for a parent alone; for
// several, the sum of these, or their weighted mean (TIES).
struct Recipe {
  std::vector<double> factor = {};
  std::vector<double> share = {};  // of parents in means; empty for sums
};

Recipe sums(const Counted& part);
Recipe means(const Counted& part, Recipe recipe);

// Every subset of parents whose value the change is, to within the entry's own
// rounding; one bit a subset, the empty one being no change at all.
unsigned matching_subsets(const Recipe& recipe, const Counted& part, std::size_t entry,
                          double change);

// The place covered by most intervals, and by how many; lengths must be finite.
struct Interval {
  double low = 0;
  double high = 0;
};
struct Stabbing {
  double place = 0;
  std::size_t count = 0;
};
Stabbing most_covered(const std::vector<Interval>& intervals);

// The factor on a parent's change that most entries agree on, were it alone in
// them, and how many do.
Stabbing factor_peak(const Counted& part, std::size_t parent);

}  // namespace pedigree
