// What the candidates explain together, in words.
#pragma once

#include <string>
#include <vector>

#include "report/wording.h"

namespace pedigree {

// How the subject is made up of its parents, one line a question.
std::vector<LabelledLine> joint_lines(const Joint& joint);

// One row a parent, the base last.
struct ParentRow {
  std::string name;
  std::string weight;
  std::string t;
  std::string kept;
  std::string part;  // "parent" or "base"
};
std::vector<ParentRow> parent_rows(const Joint& joint);

}  // namespace pedigree
