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

#include <array>
#include <cstddef>
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
  // Within one chart:
  std::array<double, model_parts> squares = {};  // ‖first − second‖², part by part
  std::vector<bool> compared = {};               // row by row: both sides carry information
  std::vector<bool> equal = {};                  // and are equal to the last bit
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
  int chart = 0;                                  // models of one chart sampled the same places
  int precision = 0;                              // of the stored type, in bits; 0 when not known
  std::array<double, model_parts> squares = {};   // ‖·‖²
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
  std::vector<FamilyLink> links = {};  // by (second, first); they hold the family together
};

// Families by their smallest member; a model related to no other is a family of
// its own, without links.
std::vector<ConnectedFamily> families_of(const KinGraph& graph);

}  // namespace pedigree
