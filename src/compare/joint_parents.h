// Which models two others explain together: averages of them on a straight line
// or an arc, and models put together from whole parts of both.
//
// Two parents, from the sums and rows a KinGraph holds: enough to keep a merged
// model from standing between its parents. A fit of many parents tensor by
// tensor can take its place: families_of() reads KinGraph::joints, whoever made
// them.
#pragma once

#include <vector>

#include "compare/family_tree.h"

namespace pedigree {

// At most one entry a model, by child. Looks at `graph.models` and `graph.pairs`.
std::vector<JointParents> joint_parents_of(const KinGraph& graph);

}  // namespace pedigree
