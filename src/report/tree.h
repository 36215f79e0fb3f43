// A family tree as a value: what `pedigree tree` found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"

namespace pedigree {

struct TreeNode {
  std::string name = {};  // unique within the tree
  std::string path = {};
  std::string architecture = {};  // "LLaMA"
  std::uint64_t parameters = 0;
  bool is_fingerprint = false;
  bool is_missing = false;      // stands for a model that is not in the set
  std::string not_judged = {};  // why nothing could be said of it; "" when something was
};

struct TreeEdge {
  enum class Kind {
    copy,     // one follows from the other without training
    trained,  // they differ by training
    merge,    // `from` is one of several parents
    missing   // `from` is not in the set
  };
  std::size_t from = 0;  // the parent where that is known, else the end that is drawn above
  std::size_t to = 0;
  Kind kind = Kind::trained;
  bool from_is_parent = false;
  std::string because = {};                   // of the direction, known or not
  std::optional<double> change = {};          // ‖difference‖/‖weights‖ on what both sampled
  std::optional<double> weight = {};          // merge: of this parent
  std::vector<std::size_t> as_near = {};      // models to which `to` could be tied as well
  std::optional<Comparison> comparison = {};  // of the two; absent where one is missing
};

struct TreeFamily {
  std::vector<std::size_t> members = {};   // those that are missing come last
  std::vector<std::size_t> unplaced = {};  // members whose place in it is not known
  std::vector<std::size_t> roots = {};     // that may be the oldest here, as far as known
  std::vector<std::size_t> drawn = {};     // where drawing begins
  std::vector<TreeEdge> edges = {};        // by (to, from)
};

// Two families, and what one model of each says about them.
struct TreeGap {
  std::size_t first = 0;  // of TreeFamily
  std::size_t second = 0;
  Comparison comparison = {};
};

struct Tree {
  std::vector<TreeNode> nodes = {};  // by name; those that are missing come last
  std::vector<TreeFamily> families = {};
  std::vector<TreeGap> gaps = {};
  std::size_t sketch_pairs = 0;  // compared by their samples
  std::size_t deep_pairs = 0;    // by all stages, on whole weights
  bool quick = false;

  std::size_t given() const;  // models, without those that are missing

  // Is there a model of which it stayed open where it belongs?
  bool is_open() const;
};

std::string_view edge_kind_name(TreeEdge::Kind kind);

}  // namespace pedigree
