// A family tree for machines. See schemas/tree-1.schema.json.
#include "report/json_parts.h"
#include "report/tree_lines.h"
#include "report/tree_render.h"
#include "report/wording.h"

namespace pedigree {
namespace {

OrderedJson json_names(const Tree& tree, const std::vector<std::size_t>& nodes) {
  OrderedJson out = OrderedJson::array();
  for (const std::size_t node : nodes) out.push_back(json_text(tree.nodes[node].name));
  return out;
}

OrderedJson json_node(const TreeNode& node) {
  OrderedJson out;
  out["name"] = json_text(node.name);
  put_text(out, "path", node.path);
  put_text(out, "architecture", node.architecture);
  if (node.parameters > 0) out["parameters"] = node.parameters;
  if (node.is_fingerprint) out["fingerprint"] = true;
  if (node.is_missing) out["missing"] = true;
  put_text(out, "not_judged", node.not_judged);
  return out;
}

// What the comparison of the two ends says, under the names of report-1.
void put_comparison(OrderedJson& out, const Comparison& comparison) {
  const OrderedJson whole = json_comparison(comparison);
  const OrderedJson& verdict = whole["verdict"];
  for (const char* key : {"mechanisms", "log10_p", "stage", "coverage"}) {
    if (verdict.contains(key)) out[key] = verdict[key];
  }
  out["compared"] = {{"subject", json_text(comparison.subject)},
                     {"base", json_text(comparison.base)}};
  for (const char* key : {"transforms", "layer_map", "lora", "kept", "evidence"}) {
    if (whole.contains(key) && !whole[key].empty()) out[key] = whole[key];
  }
}

OrderedJson json_edge(const Tree& tree, const TreeEdge& edge, std::size_t family) {
  OrderedJson out;
  out["from"] = json_text(tree.nodes[edge.from].name);
  out["to"] = json_text(tree.nodes[edge.to].name);
  out["family"] = family;
  out["kind"] = edge_kind_name(edge.kind);
  put_text(out, "relation", relation_of(edge));
  out["direction"] = edge.from_is_parent ? "from-is-parent" : "undetermined";
  put_text(out, "direction_because", edge.because);
  if (edge.change) out["change"] = json_number(*edge.change);
  if (edge.weight) out["weight"] = json_number(*edge.weight);
  if (!edge.as_near.empty()) out["as_near"] = json_names(tree, edge.as_near);
  if (edge.comparison) put_comparison(out, *edge.comparison);
  return out;
}

OrderedJson json_family(const Tree& tree, const TreeFamily& family) {
  OrderedJson out;
  out["members"] = json_names(tree, family.members);
  out["roots"] = json_names(tree, family.roots);
  if (!family.unplaced.empty()) out["unplaced"] = json_names(tree, family.unplaced);
  return out;
}

OrderedJson json_gap(const TreeGap& gap) {
  const Verdict& verdict = gap.comparison.verdict;
  OrderedJson out;
  out["families"] = {gap.first, gap.second};
  out["models"] = {json_text(gap.comparison.base), json_text(gap.comparison.subject)};
  out["derived"] = json_text(verdict.derived);
  out["relation"] = json_text(verdict.relation);
  put_text(out, "stage", verdict.stage);
  if (verdict.log10_p) out["log10_p"] = json_log10(*verdict.log10_p);
  if (verdict.power_cosine) out["power_cosine"] = json_number(*verdict.power_cosine);
  put_text(out, "summary", verdict.summary);
  return out;
}

}  // namespace

std::string tree_json(const Report& report, const RenderOptions& options) {
  if (!report.tree) return {};
  const Tree& tree = *report.tree;
  OrderedJson out;
  out["schema"] = "pedigree-tree/1";
  out["tool"] = json_tool(report.tool_version, report.scheme);
  put_text(out, "command", report.command);
  if (report.generated) out["generated"] = json_text(*report.generated);
  out["tests"] = {{"sampled_pairs", tree.sketch_pairs}, {"deep_pairs", tree.deep_pairs}};
  out["nodes"] = OrderedJson::array();
  for (const TreeNode& node : tree.nodes) out["nodes"].push_back(json_node(node));
  out["families"] = OrderedJson::array();
  out["edges"] = OrderedJson::array();
  for (std::size_t i = 0; i < tree.families.size(); ++i) {
    out["families"].push_back(json_family(tree, tree.families[i]));
    for (const TreeEdge& edge : tree.families[i].edges) {
      out["edges"].push_back(json_edge(tree, edge, i));
    }
  }
  out["between"] = OrderedJson::array();
  for (const TreeGap& gap : tree.gaps) out["between"].push_back(json_gap(gap));
  out["assumption"] = assumption();
  out["problems"] = json_problems(report.problems);
  put_text(out, "rerun", report.rerun);
  return out.dump(options.compact ? -1 : 2, ' ', true) + "\n";
}

}  // namespace pedigree
