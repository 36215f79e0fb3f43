// Copies in a family: what was made from another model without training.
//
// A copy is a leaf. Whatever else is like it came from where it came from, unless it
// carries what the copy was changed in: its shape, or its own rounding. Without that,
// the copy of which least is left to compare would stand between all others.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "compare/family_tree.h"
#include "compare/kin_table.h"

namespace pedigree {

class FamilyCopies {
 public:
  static constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();

  explicit FamilyCopies(const KinGraph& graph);

  // Of models that hold the same values, the one the others hang on: of the coarsest
  // type, since the others may have been widened from it, and the one with which most
  // of the family can be compared unit by unit.
  std::size_t stands_for(std::size_t model) const { return stands_for_[model]; }

  // What it was made from, as far as the weights prove it; or nobody. Of models that
  // stand for their equals.
  std::size_t parent(std::size_t model) const { return parent_[model]; }

  // May `other` be tied to `model`? Not to a copy whose changes it does not carry.
  bool may_touch(std::size_t model, std::size_t other) const;

  // What one of a pair had to be given to become the other; leaving things out costs
  // nothing. In steps of a share of the smallest model: smaller differences are those of
  // two samples.
  double new_content(const KinPair& pair) const;

  // How little of the rest of its family can be set against a model: smaller in the
  // middle of it.
  double remoteness(std::size_t model) const { return remoteness_[model]; }

 private:
  void measure_remoteness();
  void group_equals();
  void find_parents();
  bool was_made_from(std::size_t child, std::size_t parent) const;
  bool carries_changes(std::size_t from, std::size_t copy, std::size_t other) const;
  double new_size(const KinPair& pair, std::size_t model) const;
  // A copy itself, of what the child was made from as well?
  bool is_behind(std::size_t model, std::size_t child) const;
  bool descends(std::size_t model, std::size_t ancestor) const;

  const KinGraph& graph_;
  KinTable table_;
  std::vector<double> remoteness_ = {};
  std::vector<std::size_t> stands_for_ = {};
  std::vector<std::size_t> parent_ = {};
  double smallest_ = 1;
};

// Steps of a share; smaller differences of two shares are those of two samples.
double graded(double share);

}  // namespace pedigree
