// What changed from the base to the subject, part by part, once the parts that
// stand against each other are known.
#pragma once

#include <string>
#include <vector>

#include "compare/alignment.h"

namespace pedigree {

// One sampled part of a role in one layer, the same coordinates on both sides.
struct Change {
  std::string role;
  int subject_layer = -1;
  int base_layer = -1;
  int expert = -1;             // of the subject
  std::string base_role = {};  // where it is another: of a dense block an expert was made from
  int base_expert = -1;
  Matrix subject = {};
  Matrix base = {};
  Matrix subject_steps = {};  // lattice step at each value, 0 for none; empty without a lattice
  Matrix base_steps = {};
  const ElementType* subject_type = nullptr;
  const ElementType* base_type = nullptr;
  bool is_vector = false;  // gains

  double relative_delta = 0;        // ‖subject − base‖ / ‖base‖
  bool equal = false;               // every value
  bool subject_is_rounded = false;  // every value is the base's, rounded into the subject's type
  bool base_is_rounded = false;     // and the other way round
  bool informative = false;         // more than 16 distinct values in the base's part
};

// Fills what is said of the two parts.
void measure(Change& change);

// All parts that can be set against each other under the alignment. Reads
// weights only where the neurons are not aligned by index.
Result<std::vector<Change>> changes(const Side& subject, const Side& base,
                                    const Alignment& alignment);

// The same change after each neuron's own factor between up and down (or each
// value channel's between v and o) is taken out; `found` when such factors are
// there: far from one, and undone by the opposite matrix.
struct Rescaling {
  bool found = false;
  double median_factor = 1;  // of max(c, 1/c)
};
Rescaling take_out_rescaling(std::vector<Change>& all);

// Is the whole sampled part of an informative matrix equal to the last bit, or rounded
// one way? Then no statistic is needed to exclude chance or a seed for that matrix.
bool any_equal_matrix(const std::vector<Change>& all);

// Median of relative_delta over matrices inside layers.
double median_relative_delta(const std::vector<Change>& all);

}  // namespace pedigree
