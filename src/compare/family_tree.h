// From pairs to a family tree: who stands next to whom.
//
// Pure: the input is what pair tests found, the output is a forest over the
// models' numbers. Lower numbers win ties, so a caller that numbers models by
// name gets the same tree whatever order they were given in.
//
// The tree is that of least total change, joined pair by pair from the surest
// to the loosest (Kruskal 1956): copies first, then the share of sampled rows
// that changed, then distance. Distances mislead in three ways, and each has
// its remedy (docs/decisions/0013-family-trees.md):
//   an average of two models is nearer to everything than its parents are, so
//   it must not stand between others: JointParents;
//   models trained on like data move alike, so far ones seem to come from the
//   nearest short fine-tune: among ends that are as near, the most central one;
//   siblings whose parent is not here would be strung on one of them: rows two
//   of three hold alike, and each pair of them its own, show the missing one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare/kinship.h"

namespace pedigree {

enum class LinkDirection { unknown, first_is_parent, second_is_parent };

// What is known of one pair of models, first < second.
struct KinPair {
  std::size_t first = 0;
  std::size_t second = 0;
  bool related = false;                              // shown to share trained weights
  bool same = false;                                 // equal on everything compared
  bool copy = false;                                 // one follows from the other without training,
  LinkDirection direction = LinkDirection::unknown;  // and which, as far as known
  double changed_rows = 1;                           // share of the compared rows
  double distance = 2;                               // relative, squared
  std::size_t unlike = 0;                            // dimensions of structure in which they differ
  double new_in_first = 0;  // shares of either side that stand against nothing of the other
  double new_in_second = 0;
  // Within one chart:
  std::array<double, model_parts> squares = {};  // ‖first − second‖², part by part
  std::vector<bool> compared = {};               // row by row: both sides carry information
  std::vector<bool> equal = {};                  // and are equal to the last bit
  bool first_is_rounded = false;                 // holds the other's values, some of them rounded
  bool second_is_rounded = false;
  bool averaged = false;  // one holds means of the other's experts

  double new_in(std::size_t model) const { return model == first ? new_in_first : new_in_second; }
  bool measured() const { return distance < unmeasured; }

  static constexpr double unmeasured = 2;  // the distance of strangers
};

// The seam for whoever explains merges: `parents` explain `child` together.
struct JointParents {
  std::size_t child = 0;
  std::vector<std::size_t> parents = {};
  std::vector<double> weights = {};  // of the parents, in their order; may be empty
  bool exact = false;                // within the rounding of the child's stored type
  double residual = 0;               // what is left, as a share of the child's own change
  std::string because = {};          // one sentence
};

// One model on its own sampled places.
struct KinModel {
  int chart = 0;                                 // models of one chart sampled the same places
  int precision = 0;                             // of the stored type, in bits; 0 when not known
  double size = 1;                               // values
  bool by_row = false;                           // sampled without the names of its tokens
  bool widened = false;                          // its values fit a coarser type
  std::array<std::uint64_t, 7> shape = {};       // layers, widths, heads, vocabulary, experts
  std::array<double, model_parts> squares = {};  // ‖·‖²
  std::uint64_t experts() const { return shape.back(); }
  std::uint64_t vocabulary() const { return shape[3]; }
  std::array<double, model_parts> rounding = {};  // what rounding into the stored type adds
};

struct KinGraph {
  std::vector<KinModel> models = {};
  std::vector<KinPair> pairs = {};  // those measured, in any order
  std::vector<JointParents> joints = {};
};

struct FamilyLink {
  enum class Kind {
    copy,     // `second` is a copy of `first`, or the other way round
    trained,  // they differ by training
    joint,    // `first` is one of several parents of `second`
    missing   // `first` stands for a model that is not in the set
  };
  std::size_t first = 0;
  std::size_t second = 0;
  Kind kind = Kind::trained;
  std::optional<double> weight = {};      // joint: of this parent
  std::vector<std::size_t> as_near = {};  // other ends that are as near: the place is open
};

struct ConnectedFamily {
  std::vector<std::size_t> members = {};  // ascending
  std::vector<std::size_t> missing =
      {};  // stand for models not in the set; numbered from models.size() on
  std::vector<std::size_t> unplaced = {};  // members tied to no other: their place was not measured
  std::vector<FamilyLink> links = {};      // by (second, first); they hold the rest together
};

// Families by their smallest member; a model related to no other is a family of
// its own, without links.
std::vector<ConnectedFamily> families_of(const KinGraph& graph);

}  // namespace pedigree
