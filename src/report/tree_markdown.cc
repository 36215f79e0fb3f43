// A family tree as nested lists, for job summaries.
#include <fmt/format.h>

#include "report/markdown_parts.h"
#include "report/numbers.h"
#include "report/tree_lines.h"
#include "report/tree_render.h"
#include "report/wording.h"

namespace pedigree {
namespace {

std::string about(const TreeLine& line) {
  if (line.edge == nullptr) return {};
  std::string text;
  const auto add = [&text](std::string_view part) {
    if (part.empty()) return;
    text += text.empty() ? "" : ", ";
    text += part;
  };
  add(relation_of(*line.edge));
  if (const std::string change = change_of(*line.edge); !change.empty()) add("change " + change);
  if (line.edge->comparison && line.edge->comparison->verdict.log10_p && !line.again) {
    add("log10 p " + log10_text(*line.edge->comparison->verdict.log10_p));
  }
  if (const std::string parent = parent_in_words(line); !parent.empty()) add("parent " + parent);
  return text;
}

void put_family(std::string& out, const Tree& tree, std::size_t number) {
  const TreeFamily& family = tree.families[number];
  out += fmt::format("### {}\n\n", md(heading_of(tree, number)));
  for (const TreeLine& line : tree_lines(family)) {
    const TreeNode& node = tree.nodes[line.node];
    const bool known = line.edge != nullptr && line.edge->from_is_parent;
    out += std::string(2 * line.last.size(), ' ');
    out += fmt::format("- {}{}", known ? (line.upwards ? "◀ " : "▶ ") : "",
                       node.is_missing ? "*" + md(node.name) + "*" : "**" + md(node.name) + "**");
    const std::string text = about(line);
    out += text.empty() ? "\n" : ": " + md(text) + "\n";
  }
  out += fmt::format("\nOldest: {}\n\n", md(oldest_in_words(tree, family)));
  const std::string unplaced = unplaced_in_words(tree, family);
  if (!unplaced.empty()) out += fmt::format("Not placed: {}\n\n", md(unplaced));
}

void put_reasons(std::string& out, std::string_view title,
                 const std::vector<NamedReason>& reasons) {
  if (reasons.empty()) return;
  out += fmt::format("### {}\n\n", md(title));
  for (const NamedReason& each : reasons) {
    out += fmt::format("- **{}**: {}\n", md(each.name), md(each.reason));
  }
  out += '\n';
}

}  // namespace

std::string tree_markdown(const Report& report) {
  if (!report.tree) return {};
  const Tree& tree = *report.tree;
  std::string out = fmt::format("## pedigree tree\n\n- **Models**: {}\n- **Tests**: {}\n\n",
                                tree.given(), md(tests_in_words(tree)));
  for (const std::size_t family : families_with_relatives(tree)) put_family(out, tree, family);
  std::vector<NamedReason> reasons;
  for (const TreeFamily& family : tree.families) {
    for (NamedReason& each : reasons_of(tree, family)) reasons.push_back(std::move(each));
  }
  put_reasons(out, "Why", reasons);
  put_reasons(out, "Without relatives", models_alone(tree));
  put_reasons(out, "Not told apart", open_gaps(tree));
  put_reasons(out, "Not judged", models_not_judged(tree));
  if (!families_with_relatives(tree).empty()) {
    out += fmt::format("{}\n\nAssumption: {}\n\n", md(tree_legend()), md(assumption()));
  }
  for (const Problem& each : report.problems) {
    out += fmt::format("> {}: {}\n\n", md(each.code), md(each.message));
  }
  if (!report.rerun.empty()) out += fmt::format("Again: {}\n", md(report.rerun));
  return out;
}

}  // namespace pedigree
