// Comparisons and family trees as a Graphviz graph.
//
// Models are nodes under numbers, so no name can be taken for syntax; names are
// labels, shown as everywhere else and quoted as the DOT language asks: in a
// label a backslash starts an escape ("\N", "\l"), so it is doubled.
#include <fmt/format.h>

#include <map>
#include <string>

#include "base/text.h"
#include "report/numbers.h"
#include "report/reporters.h"
#include "report/tree_lines.h"

namespace pedigree {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : shown(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string_view style_of(const TreeEdge& edge) {
  if (edge.kind == TreeEdge::Kind::missing) return "style=dotted, dir=none";
  if (edge.kind == TreeEdge::Kind::merge)
    return edge.from_is_parent ? "style=bold" : "style=bold, dir=none";
  if (edge.from_is_parent) return "style=solid";
  return "style=dashed, dir=none";
}

std::string label_of(const TreeEdge& edge) {
  std::string text(relation_of(edge));
  if (edge.weight) text += " " + number_text(*edge.weight);
  const std::string change = change_of(edge);
  if (!change.empty() && !edge.weight) text += ", " + change;
  return text;
}

void put_tree(std::string& out, const Tree& tree) {
  for (std::size_t i = 0; i < tree.families.size(); ++i) {
    const TreeFamily& family = tree.families[i];
    out += fmt::format("  subgraph cluster_{} {{\n", i);
    for (const std::size_t member : family.members) {
      const TreeNode& node = tree.nodes[member];
      const bool root = family.roots.size() == 1 && family.roots.front() == member;
      out += fmt::format("    n{} [label={}{}];\n", member, quoted(node.name),
                         node.is_missing ? ", style=dashed" : (root ? ", style=bold" : ""));
    }
    for (const TreeEdge& edge : family.edges) {
      out += fmt::format("    n{} -> n{} [label={}, {}];\n", edge.from, edge.to,
                         quoted(label_of(edge)), style_of(edge));
    }
    out += "  }\n";
  }
  for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
    if (tree.nodes[i].not_judged.empty()) continue;
    out += fmt::format("  n{} [label={}, style=dotted];\n", i, quoted(tree.nodes[i].name));
  }
}

// One subject and its bases: an edge for each, from the parent where it is known.
void put_comparisons(std::string& out, const Report& report) {
  std::map<std::string, std::size_t> numbers;
  const auto number_of = [&](const std::string& name) {
    const auto [at, fresh] = numbers.try_emplace(name, numbers.size());
    if (fresh) out += fmt::format("  n{} [label={}];\n", at->second, quoted(name));
    return at->second;
  };
  if (report.subject) number_of(report.subject->info.name);
  for (const Comparison& each : report.comparisons) {
    const std::size_t base = number_of(each.base);
    const std::size_t subject = number_of(each.subject);
    const Verdict& verdict = each.verdict;
    if (verdict.derived == "no") continue;
    const bool upwards = verdict.direction == "subject-is-parent";
    const bool known = upwards || verdict.direction == "base-is-parent";
    std::string style = known ? "style=solid" : "style=dashed, dir=none";
    if (verdict.derived != "yes") style = "style=dotted, dir=none";
    out += fmt::format("  n{} -> n{} [label={}, {}];\n", upwards ? subject : base,
                       upwards ? base : subject, quoted(verdict.relation), style);
  }
}

std::string dot(const Report& report, const RenderOptions&) {
  std::string out = "digraph pedigree {\n  node [shape=box];\n";
  if (report.tree) {
    put_tree(out, *report.tree);
  } else {
    put_comparisons(out, report);
  }
  return out + "}\n";
}

}  // namespace

const Reporter dot_reporter{.id = "dot", .title = "Graphviz graph", .render = dot};

}  // namespace pedigree
