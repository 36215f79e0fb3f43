// A family tree line by line, as it is drawn; and its sentences, for every
// reporter that people read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"

namespace pedigree {

struct TreeLine {
  std::size_t node = 0;
  const TreeEdge* edge = nullptr;  // to the line it hangs on; null at the top
  bool upwards = false;            // the model above comes from this one
  bool again = false;              // drawn with all below it under another parent
  std::vector<bool> last = {};     // for each level, is it the last one there?
};

// Every member once, and merged models again under each further parent.
std::vector<TreeLine> tree_lines(const TreeFamily& family);

// "│   ├─▶ ": ▶ leads from a known parent, ◀ to one; ── is drawn where no
// direction is known.
std::string tree_branch(const TreeLine& line);

std::string_view relation_of(const TreeEdge& edge);  // "finetune", "merge", "" where one is missing
std::string change_of(const TreeEdge& edge);         // "0.053", "none" or ""
std::string parent_in_words(const TreeLine& line);   // "known", "not known", "0.70 of it", …
std::string oldest_in_words(const Tree& tree, const TreeFamily& family);
// Members of which only the family is known; "" when there are none.
std::string unplaced_in_words(const Tree& tree, const TreeFamily& family);
std::string tree_legend();
std::string tests_in_words(const Tree& tree);
std::string counted_models(std::size_t count);  // "1 model", "2 models"
std::string heading_of(const Tree& tree, std::size_t family);

// Families of one model without relatives come after the others.
std::vector<std::size_t> families_with_relatives(const Tree& tree);

struct NamedReason {
  std::string name = {};
  std::string reason = {};
};

// Why each edge is as it is, where there is more to say than that nothing tells.
std::vector<NamedReason> reasons_of(const Tree& tree, const TreeFamily& family);
// Models without relatives, and what is known of them.
std::vector<NamedReason> models_alone(const Tree& tree);
std::vector<NamedReason> models_not_judged(const Tree& tree);
// Families that could not be told apart for certain.
std::vector<NamedReason> open_gaps(const Tree& tree);

}  // namespace pedigree
