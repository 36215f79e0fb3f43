// The report for machines. See schemas/report-1.schema.json.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/json_parts.h"
#include "report/numbers.h"
#include "report/reporters.h"
#include "report/support_render.h"
#include "report/tree_render.h"
#include "report/wording.h"

namespace pedigree {

// Escapes stand in the text itself (ASCII output), so that not even a terminal
// that shows the JSON as it is can be driven by a name in a file.
OrderedJson json_text(std::string_view text) { return percent_escaped(text); }

OrderedJson json_number(double value) {
  constexpr double exact_integers = 9007199254740992.0;  // 2^53
  const double number = on_grid(value);
  if (std::fabs(number) < exact_integers && std::trunc(number) == number) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

OrderedJson json_log10(double value) { return log10_on_grid(value); }

OrderedJson json_texts(const std::vector<std::string>& texts) {
  OrderedJson out = OrderedJson::array();
  for (const std::string& text : texts) out.push_back(json_text(text));
  return out;
}

void put_text(OrderedJson& object, const char* key, std::string_view text) {
  if (!text.empty()) object[key] = json_text(text);
}

OrderedJson json_problem(const Problem& problem) {
  OrderedJson out;
  out["code"] = json_text(problem.code);
  out["level"] = severity_name(problem.severity);
  put_text(out, "file", problem.file);
  if (problem.offset) out["offset"] = *problem.offset;
  if (problem.line) out["line"] = *problem.line;
  out["message"] = json_text(problem.message);
  put_text(out, "remedy", problem.remedy);
  return out;
}

OrderedJson json_problems(const std::vector<Problem>& problems) {
  OrderedJson out = OrderedJson::array();
  for (const Problem& problem : problems) out.push_back(json_problem(problem));
  return out;
}

OrderedJson json_tool(std::string_view version, std::string_view scheme) {
  OrderedJson out;
  out["name"] = "pedigree";
  out["version"] = json_text(version);
  put_text(out, "scheme", scheme);
  return out;
}

namespace {

OrderedJson json_declared(const Declared& declared) {
  OrderedJson out;
  out["source"] = json_text(declared.source);
  out["value"] = json_text(declared.value);
  out["verdict"] = json_text(declared.verdict);
  put_text(out, "because", declared.because);
  return out;
}

OrderedJson json_finding(const Finding& finding) {
  OrderedJson out;
  out["rule"] = json_text(finding.rule);
  out["level"] = severity_name(finding.level);
  out["message"] = json_text(finding.message);
  out["subject"] = json_text(finding.subject);
  put_text(out, "remedy", finding.remedy);
  return out;
}

OrderedJson json_written(const Written& written) {
  OrderedJson out;
  out["model"] = json_text(written.model);
  out["path"] = json_text(written.path);
  out["scheme"] = json_text(written.scheme);
  out["size"] = written.size;
  out["bytes_read"] = written.bytes_read;
  out["weight_bytes"] = written.weight_bytes;
  return out;
}

OrderedJson json_check(const DigestCheck& check) {
  OrderedJson out;
  out["file"] = json_text(check.file);
  out["state"] = json_text(check.state);
  out["expected"] = json_text(check.expected);
  put_text(out, "actual", check.actual);
  put_text(out, "source", check.source);
  return out;
}

std::string dumped(const OrderedJson& json, bool compact) {
  return json.dump(compact ? -1 : 2, ' ', true) + "\n";
}

std::string json(const Report& report, const RenderOptions& options) {
  if (report.tree) return tree_json(report, options);
  OrderedJson out;
  out["schema"] = "pedigree-report/1";
  out["tool"] = json_tool(report.tool_version, report.scheme);
  put_text(out, "command", report.command);
  if (report.generated) out["generated"] = json_text(*report.generated);
  if (report.subject) out["subject"] = json_subject(*report.subject, report.show_tensors);
  for (const Subject& each : report.components) {
    out["components"].push_back(json_subject(each, report.show_tensors));
  }
  out["comparisons"] = OrderedJson::array();
  for (const Comparison& each : report.comparisons) {
    out["comparisons"].push_back(json_comparison(each));
  }
  if (report.joint) out["joint"] = json_joint(*report.joint);
  if (std::ranges::any_of(report.comparisons, [](auto& each) { return !each.evidence.empty(); })) {
    out["assumption"] = assumption();
  }
  out["declared"] = OrderedJson::array();
  for (const Declared& each : report.declared) out["declared"].push_back(json_declared(each));
  out["findings"] = OrderedJson::array();
  for (const Finding& each : report.findings) out["findings"].push_back(json_finding(each));
  out["problems"] = json_problems(report.problems);
  for (const Written& each : report.written) out["written"].push_back(json_written(each));
  for (const DigestCheck& each : report.checks) out["checks"].push_back(json_check(each));
  if (report.expected) {
    out["expected"] = {{"wanted", json_text(report.expected->wanted)},
                       {"met", report.expected->met}};
  }
  put_text(out, "rerun", report.rerun);
  return dumped(out, options.compact);
}

std::string explain_json(std::span<const Explanation> entries, const RenderOptions& options) {
  OrderedJson out;
  out["schema"] = "pedigree-problems/1";
  out["tool"] = json_tool(PEDIGREE_VERSION, {});
  out["entries"] = OrderedJson::array();
  for (const Explanation& each : entries) {
    OrderedJson entry;
    entry["code"] = json_text(each.code);
    entry["kind"] = json_text(each.kind);
    put_text(entry, "level", each.level);
    entry["meaning"] = json_text(each.meaning);
    put_text(entry, "remedy", each.remedy);
    out["entries"].push_back(std::move(entry));
  }
  return dumped(out, options.compact);
}

}  // namespace

const Reporter json_reporter{.id = "json",
                             .title = "for machines",
                             .render = json,
                             .explain = explain_json,
                             .support = support_json};

}  // namespace pedigree
