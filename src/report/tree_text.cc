// A family tree for a terminal.
#include <fmt/format.h>

#include "report/numbers.h"
#include "report/text_layout.h"
#include "report/tree_lines.h"
#include "report/tree_render.h"
#include "report/wording.h"

namespace pedigree {
namespace {

constexpr std::size_t label_width = 14;

std::string label_of(const Tree& tree, std::size_t node) {
  return tree.nodes[node].is_missing ? "(" + tree.nodes[node].name + ")" : tree.nodes[node].name;
}

void put_family(TextPage& page, const Tree& tree, std::size_t number) {
  const TreeFamily& family = tree.families[number];
  page.heading(heading_of(tree, number));
  std::vector<TextRow> rows;
  for (const TreeLine& line : tree_lines(family)) {
    const Comparison* comparison =
        line.edge != nullptr && line.edge->comparison ? &*line.edge->comparison : nullptr;
    const bool with_p = comparison != nullptr && comparison->verdict.log10_p && !line.again;
    rows.push_back(
        {.cells = {tree_branch(line) + label_of(tree, line.node),
                   line.edge == nullptr ? "" : std::string(relation_of(*line.edge)),
                   line.edge == nullptr ? "" : change_of(*line.edge),
                   with_p ? log10_text(*comparison->verdict.log10_p) : "", parent_in_words(line)},
         .style = tree.nodes[line.node].is_missing ? Style::faint : Style::plain});
  }
  page.table({{.title = "model"},
              {.title = "relation"},
              {.title = "change", .right_aligned = true},
              {.title = "log10 p", .right_aligned = true},
              {.title = "parent"}},
             rows);
  page.blank();
  page.labelled("  oldest", oldest_in_words(tree, family), label_width);
  const std::string unplaced = unplaced_in_words(tree, family);
  if (!unplaced.empty()) page.labelled("  not placed", unplaced, label_width);
}

void put_reasons(TextPage& page, std::string_view title, const std::vector<NamedReason>& reasons) {
  if (reasons.empty()) return;
  page.heading(title);
  for (const NamedReason& each : reasons) {
    page.paragraph(each.name, 2);
    page.paragraph(each.reason, 4, Style::faint);
  }
}

void put_problems(TextPage& page, const Report& report) {
  if (report.problems.empty()) return;
  page.heading("Problems");
  for (const Problem& each : report.problems) {
    const std::string place = place_in_words(each);
    page.labelled(severity_name(each.severity), each.code + (place.empty() ? "" : " · " + place),
                  label_width, Style::bad);
    page.labelled("", each.message, label_width);
    if (!each.remedy.empty()) page.labelled("", "→ " + each.remedy, label_width);
  }
}

}  // namespace

std::string tree_text(const Report& report, const RenderOptions& options) {
  if (!report.tree) return {};
  const Tree& tree = *report.tree;
  TextPage page(options.width, options.colour);
  page.heading("pedigree tree · " + counted_models(tree.given()));
  page.blank();
  page.labelled("Tests", tests_in_words(tree), label_width);
  for (const std::size_t family : families_with_relatives(tree)) put_family(page, tree, family);
  std::vector<NamedReason> reasons;
  for (const TreeFamily& family : tree.families) {
    for (NamedReason& each : reasons_of(tree, family)) reasons.push_back(std::move(each));
  }
  put_reasons(page, "Why", reasons);
  put_reasons(page, "Without relatives", models_alone(tree));
  put_reasons(page, "Not told apart", open_gaps(tree));
  put_reasons(page, "Not judged", models_not_judged(tree));
  if (!families_with_relatives(tree).empty()) {
    page.heading("How to read the tree");
    page.labelled("lines", tree_legend(), label_width, Style::faint);
    page.labelled("assumption", assumption(), label_width, Style::faint);
  }
  put_problems(page, report);
  if (!report.rerun.empty()) {
    page.heading("Again");
    page.command(report.rerun, 2);
  }
  return page.take();
}

}  // namespace pedigree
