#include "report/tree_lines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "report/numbers.h"

namespace pedigree {
namespace {

constexpr std::size_t most_named = 6;

class Drawer {
 public:
  explicit Drawer(const TreeFamily& family) : family_(family) {
    for (const TreeEdge& edge : family.edges) {
      if (edge.kind != TreeEdge::Kind::merge) continue;
      const auto [at, fresh] = home_.try_emplace(edge.to, &edge);
      if (!fresh && edge.weight.value_or(0) > at->second->weight.value_or(0)) at->second = &edge;
    }
  }

  std::vector<TreeLine> run() {
    for (const std::size_t start : family_.drawn) {
      if (!home_.contains(start)) draw(start, nullptr, false, {});
    }
    // What signs that contradict each other left out.
    for (const std::size_t member : family_.members) {
      if (std::ranges::find(family_.unplaced, member) == family_.unplaced.end()) {
        draw(member, nullptr, false, {});
      }
    }
    return std::move(lines_);
  }

 private:
  struct Below {
    std::size_t node = 0;
    const TreeEdge* edge = nullptr;
    bool upwards = false;
  };

  std::vector<Below> below(std::size_t node) const {
    std::vector<Below> list;
    for (const TreeEdge& edge : family_.edges) {
      if (edge.from == node) {
        list.push_back({.node = edge.to, .edge = &edge, .upwards = false});
      } else if (edge.to == node && edge.kind != TreeEdge::Kind::merge) {
        list.push_back({.node = edge.from, .edge = &edge, .upwards = true});
      }
    }
    std::erase_if(list, [this](const Below& each) {
      return drawn_.contains(each.node) && each.edge->kind != TreeEdge::Kind::merge;
    });
    std::ranges::sort(list, {}, &Below::node);
    return list;
  }

  void draw(std::size_t node, const TreeEdge* edge, bool upwards, const std::vector<bool>& last) {
    const bool elsewhere =
        edge != nullptr && edge->kind == TreeEdge::Kind::merge && home_.at(node) != edge;
    if (!elsewhere && !drawn_.insert(node).second) return;
    lines_.push_back(
        {.node = node, .edge = edge, .upwards = upwards, .again = elsewhere, .last = last});
    if (elsewhere) return;
    const std::vector<Below> list = below(node);
    for (std::size_t i = 0; i < list.size(); ++i) {
      std::vector<bool> deeper = last;
      deeper.push_back(i + 1 == list.size());
      draw(list[i].node, list[i].edge, list[i].upwards, deeper);
    }
  }

  const TreeFamily& family_;
  std::map<std::size_t, const TreeEdge*>
      home_;  // of merged models, the parent they are drawn below
  std::set<std::size_t> drawn_;
  std::vector<TreeLine> lines_;
};

std::string names_of(const Tree& tree, const std::vector<std::size_t>& nodes) {
  std::vector<std::string> names;
  for (const std::size_t node : nodes) {
    if (names.size() == most_named) break;
    names.push_back(tree.nodes[node].name);
  }
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (nodes.size() > most_named) text += fmt::format(" and {} more", nodes.size() - most_named);
  return text;
}

bool says_something(const std::string& because) {
  return !because.empty() && because != "nothing in the weights says which came first";
}

}  // namespace

std::vector<TreeLine> tree_lines(const TreeFamily& family) { return Drawer(family).run(); }

std::string tree_branch(const TreeLine& line) {
  std::string text;
  for (std::size_t i = 0; i < line.last.size(); ++i) {
    const bool own = i + 1 == line.last.size();
    if (!own) {
      text += line.last[i] ? "    " : "│   ";
      continue;
    }
    const bool known = line.edge != nullptr && line.edge->from_is_parent;
    text += line.last[i] ? "└" : "├";
    text += known ? (line.upwards ? "─◀ " : "─▶ ") : "── ";
  }
  return text;
}

std::string_view relation_of(const TreeEdge& edge) {
  if (edge.kind == TreeEdge::Kind::merge) return "merge";
  return edge.comparison ? std::string_view(edge.comparison->verdict.relation) : std::string_view();
}

std::string change_of(const TreeEdge& edge) {
  if (!edge.change) return {};
  return *edge.change == 0 ? "none" : number_text(*edge.change);
}

std::string parent_in_words(const TreeLine& line) {
  if (line.edge == nullptr || line.edge->kind == TreeEdge::Kind::missing) return {};
  if (line.edge->kind == TreeEdge::Kind::merge) {
    std::string text = line.edge->weight ? percent_text(*line.edge->weight) + " of it" : "a part";
    return line.again ? text + ", see there" : text;
  }
  if (!line.edge->from_is_parent) return "not known";
  return line.upwards ? "below" : "above";
}

std::string oldest_in_words(const Tree& tree, const TreeFamily& family) {
  if (family.roots.empty()) return "not known: the signs of direction contradict each other";
  if (family.roots.size() > 1) {
    return fmt::format("not known; nothing speaks against {}", names_of(tree, family.roots));
  }
  return fmt::format("{}: none of the others can be its ancestor", names_of(tree, family.roots));
}

std::string unplaced_in_words(const Tree& tree, const TreeFamily& family) {
  if (family.unplaced.empty()) return {};
  return fmt::format("{}: of this family; how far from which of its members could not be measured",
                     names_of(tree, family.unplaced));
}

std::string tree_legend() {
  return "▶ leads from a known parent; ── joins two models of which the weights do not say which "
         "came first, and the upper one is drawn first only because more hangs on it. change: "
         "relative size of the difference on the sampled weights. parent: whether the model above "
         "is known to be the parent; training looks the same from both ends, so it is known for "
         "copies that lost something and for merges.";
}

std::string tests_in_words(const Tree& tree) {
  std::string text =
      fmt::format("{} {} of models compared by samples, {} by all stages", tree.sketch_pairs,
                  tree.sketch_pairs == 1 ? "pair" : "pairs", tree.deep_pairs);
  if (tree.sketch_pairs > 1) text += fmt::format("; every p pays for all {}", tree.sketch_pairs);
  if (tree.quick) text += "; --quick left the deep stages out, so nothing is called unrelated";
  return text;
}

std::string counted_models(std::size_t count) {
  return fmt::format("{} model{}", count, count == 1 ? "" : "s");
}

std::string heading_of(const Tree& tree, std::size_t family) {
  std::size_t here = 0;
  for (const std::size_t member : tree.families[family].members) {
    here += tree.nodes[member].is_missing ? 0U : 1U;
  }
  return "Family of " + counted_models(here);
}

std::vector<std::size_t> families_with_relatives(const Tree& tree) {
  std::vector<std::size_t> list;
  for (std::size_t i = 0; i < tree.families.size(); ++i) {
    if (tree.families[i].members.size() > 1) list.push_back(i);
  }
  return list;
}

std::vector<NamedReason> reasons_of(const Tree& tree, const TreeFamily& family) {
  std::vector<NamedReason> list;
  for (const TreeEdge& edge : family.edges) {
    std::string reason;
    if (says_something(edge.because)) reason = edge.because;
    if (!edge.as_near.empty()) {
      if (!reason.empty()) reason += "; ";
      reason += "as near to " + names_of(tree, edge.as_near);
    }
    if (reason.empty()) continue;
    const std::string& from = tree.nodes[edge.from].name;
    const std::string& to = tree.nodes[edge.to].name;
    list.push_back({.name = fmt::format("{} {} {}", from, edge.from_is_parent ? "→" : "–", to),
                    .reason = std::move(reason)});
  }
  return list;
}

std::vector<NamedReason> models_alone(const Tree& tree) {
  std::vector<NamedReason> list;
  for (std::size_t i = 0; i < tree.families.size(); ++i) {
    if (tree.families[i].members.size() > 1 || tree.families.size() == 1) continue;
    const bool open = std::ranges::any_of(tree.gaps, [&](const TreeGap& gap) {
      return (gap.first == i || gap.second == i) && gap.comparison.verdict.derived != "no";
    });
    list.push_back({.name = tree.nodes[tree.families[i].members.front()].name,
                    .reason = open ? "no relative was found, and not every one was ruled out"
                                   : "no evidence of weights shared with any other model here"});
  }
  return list;
}

std::vector<NamedReason> models_not_judged(const Tree& tree) {
  std::vector<NamedReason> list;
  for (const TreeNode& node : tree.nodes) {
    if (!node.not_judged.empty()) list.push_back({.name = node.name, .reason = node.not_judged});
  }
  return list;
}

std::vector<NamedReason> open_gaps(const Tree& tree) {
  std::vector<NamedReason> list;
  for (const TreeGap& gap : tree.gaps) {
    const Verdict& verdict = gap.comparison.verdict;
    if (verdict.derived == "no") continue;
    list.push_back(
        {.name = gap.comparison.base + " – " + gap.comparison.subject, .reason = verdict.summary});
  }
  return list;
}

}  // namespace pedigree
