#include "report/tree.h"

#include <algorithm>
#include <string_view>

namespace pedigree {

std::size_t Tree::given() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(nodes, [](const TreeNode& node) { return !node.is_missing; }));
}

bool Tree::is_open() const {
  return std::ranges::any_of(nodes,
                             [](const TreeNode& node) { return !node.not_judged.empty(); }) ||
         std::ranges::any_of(
             gaps, [](const TreeGap& gap) { return gap.comparison.verdict.derived != "no"; });
}

std::string_view edge_kind_name(TreeEdge::Kind kind) {
  switch (kind) {
    case TreeEdge::Kind::copy:
      return "copy";
    case TreeEdge::Kind::trained:
      return "trained";
    case TreeEdge::Kind::merge:
      return "merge";
    case TreeEdge::Kind::missing:
      return "missing";
  }
  return "trained";
}

}  // namespace pedigree
