// The report as Markdown, for job summaries and issues.
//
// Everything that can come from a file is escaped: a tensor name must not
// become a heading, a link, an image or HTML on the page that shows it.
#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "base/text.h"
#include "report/markdown_parts.h"
#include "report/numbers.h"
#include "report/reporters.h"
#include "report/support_render.h"
#include "report/tree_render.h"
#include "report/wording.h"
#include "report/wording_architecture.h"
#include "report/wording_components.h"
#include "report/wording_joint.h"

namespace pedigree {
std::string md(std::string_view text) {
  std::string safe;
  const std::string plain = shown(text);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const char c = plain[i];
    const std::string_view rest = std::string_view(plain).substr(i);
    if (c == '<') {
      safe += "&lt;";
    } else if (c == '>') {
      safe += "&gt;";
    } else if (c == '&') {
      safe += "&amp;";
    } else if (rest.starts_with("://")) {  // would become a link by itself
      safe += "\\:";
    } else if (rest.starts_with("www.")) {
      safe += "www\\.";
      i += 3;
    } else {
      if (std::string_view("\\`*_{}[]()|~!$@#").contains(c)) safe += '\\';
      safe += c;
    }
  }
  return safe;
}

namespace {

void put_lines(std::string& out, const std::vector<LabelledLine>& lines) {
  for (const auto& [label, text] : lines) out += fmt::format("- **{}**: {}\n", md(label), md(text));
}

using Cells = std::vector<std::string>;

void put_table(std::string& out, const Cells& titles, const std::vector<Cells>& rows) {
  const auto put_row = [&](const Cells& cells) {
    out += '|';
    for (const std::string& cell : cells) out += ' ' + cell + " |";
    out += '\n';
  };
  put_row(titles);
  put_row(Cells(titles.size(), "---"));
  for (const Cells& row : rows) {
    Cells escaped;
    for (const std::string& cell : row) escaped.push_back(md(cell));
    put_row(escaped);
  }
  out += '\n';
}

void put_evidence(std::string& out, const std::vector<Evidence>& evidence) {
  std::vector<Cells> rows;
  for (const Evidence& each : evidence) {
    const bool measured = each.outcome == Evidence::Outcome::measured;
    rows.push_back({statistic_in_words(each, evidence), std::string(outcome_name(each.outcome)),
                    measured ? number_text(each.value) : "",
                    measured && each.log10_p ? log10_text(*each.log10_p) : "",
                    measured ? null_in_words(each.null) : "", each.because});
  }
  if (!rows.empty()) {
    put_table(out, {"statistic", "outcome", "value", "log10 p", "null", "because"}, rows);
  }
}

void put_joint(std::string& out, const Joint& joint) {
  out += "### All candidates together\n\n";
  put_lines(out, joint_lines(joint));
  out += '\n';
  std::vector<Cells> rows;
  for (const ParentRow& each : parent_rows(joint)) {
    rows.push_back({each.name, each.part, each.weight, each.t, each.kept});
  }
  if (!rows.empty()) put_table(out, {"model", "as", "weight", "t", "changes kept"}, rows);
  put_evidence(out, joint.evidence);
}

void put_comparison(std::string& out, const Comparison& comparison, bool with_summary) {
  out += fmt::format("### {} against {}\n\n", md(comparison.subject), md(comparison.base));
  put_lines(out, verdict_lines(comparison, with_summary));
  out += '\n';
  for (const Problem& each : comparison.problems)
    out += fmt::format("> {}: {}\n\n", md(each.code), md(each.message));
  put_evidence(out, comparison.evidence);
  std::vector<Cells> rows;
  for (const RoleSummary& each : change_by_role(comparison.change)) {
    rows.push_back({each.role, fmt::format("{}", each.layers),
                    fmt::format("{} to {}", number_text(each.smallest), number_text(each.largest)),
                    fmt::format("{}", each.exact)});
  }
  if (!rows.empty()) {
    put_table(out, {"role", "tensors", "relative change", "equal bit for bit"}, rows);
  }
  rows.clear();
  for (const TensorRow& each : comparison.rows) {
    rows.push_back({each.name, each.base_name, each.state,
                    each.relative_delta ? number_text(*each.relative_delta) : ""});
  }
  if (!rows.empty()) put_table(out, {"tensor", "in the base", "state", "change"}, rows);
}

void put_trouble(std::string& out, const Report& report) {
  std::vector<Cells> rows;
  rows.reserve(report.findings.size() + report.problems.size());
  for (const Finding& each : report.findings) {
    rows.push_back({std::string(severity_name(each.level)), each.rule, each.subject, each.message,
                    each.remedy});
  }
  for (const Problem& each : problems_beside(report)) {
    rows.push_back({std::string(severity_name(each.severity)), each.code, place_in_words(each),
                    each.message, each.remedy});
  }
  if (rows.empty()) return;
  out += "### Findings\n\n";
  put_table(out, {"level", "rule", "where", "what", "what to do"}, rows);
}

void put_digests(std::string& out, const ModelDigests& digests) {
  out += "### Digests\n\n";
  if (!digests.named.empty()) out += fmt::format("- **named**: {}\n", md(digests.named));
  if (!digests.bag.empty()) out += fmt::format("- **bag**: {}\n", md(digests.bag));
  out += '\n';
  std::vector<Cells> rows;
  rows.reserve(digests.files.size());
  for (const FileDigest& each : digests.files) rows.push_back({each.path, each.sha256});
  if (!rows.empty()) put_table(out, {"file", "sha256"}, rows);
}

void put_inventory(std::string& out, const ModelInfo& info, bool tensors) {
  const auto lines = architecture_lines(info);
  if (!lines.empty()) {
    out += "### Architecture\n\n";
    put_lines(out, lines);
    out += '\n';
  }
  std::vector<Cells> rows;
  rows.reserve(std::max(info.files.size(), info.tensors.size()));
  for (const ModelFile& each : info.files)
    rows.push_back({each.path, each.format, byte_size(each.size)});
  if (!rows.empty()) put_table(out, {"file", "format", "size"}, rows);
  rows.clear();
  for (const Claim& each : info.claims) rows.push_back({each.key, each.value, claim_place(each)});
  if (!rows.empty()) put_table(out, {"claim", "value", "where"}, rows);
  if (!tensors) return;
  rows.clear();
  for (const StoredTensor& each : info.tensors) {
    rows.push_back({each.entry.name, each.entry.type_name, shape_text(each.entry.shape)});
  }
  put_table(out, {"tensor", "type", "shape"}, rows);
}

std::string compact_markdown(const Report& report) {
  std::string out;
  for (const Comparison& each : report.comparisons) {
    out += fmt::format("- {}: {}\n", md(each.subject), md(verdict_phrase(each.verdict, each.base)));
  }
  if (report.joint) out += fmt::format("- together: {}\n", md(report.joint->summary));
  return out;
}

void put_written(std::string& out, const Report& report) {
  std::vector<Cells> rows;
  rows.reserve(report.written.size());
  for (const Written& each : report.written)
    rows.push_back({each.model, each.path, byte_size(each.size)});
  if (!rows.empty()) put_table(out, {"model", "fingerprint", "size"}, rows);
}

void put_declared(std::string& out, const Report& report) {
  if (report.declared.empty()) return;
  std::vector<Cells> rows;
  rows.reserve(report.declared.size());
  for (const Declared& each : report.declared) {
    rows.push_back({each.verdict, each.value, each.source, each.because});
  }
  out += "### Declared against verified\n\n";
  put_table(out, {"verdict", "parent", "where", "because"}, rows);
}

void put_checks(std::string& out, const Report& report) {
  std::vector<Cells> rows;
  rows.reserve(report.checks.size());
  for (const DigestCheck& each : report.checks)
    rows.push_back({each.state, each.file, each.source});
  if (!rows.empty()) put_table(out, {"state", "file", "from"}, rows);
}

std::string markdown(const Report& report, const RenderOptions& options) {
  if (report.tree) return tree_markdown(report);
  if (options.compact) return compact_markdown(report);
  std::string out = fmt::format("## {}\n\n", md(headline(report)));
  put_lines(out, five_lines(report));
  if (report.subject) out += '\n';
  put_lines(out, component_lines(report));
  if (!report.components.empty()) out += '\n';
  put_written(out, report);
  put_declared(out, report);
  const bool several = report.comparisons.size() > 1;
  for (const Comparison& comparison : report.comparisons) {
    put_comparison(out, comparison, several || !report.subject);
  }
  if (report.joint) put_joint(out, *report.joint);
  if (!report.comparisons.empty()) {
    out += fmt::format("Assumption: {}\n\n{}\n\n", md(assumption()), md(legend()));
  }
  if (report.subject && report.components.empty() && report.comparisons.empty() &&
      report.command != "digest") {
    put_inventory(out, report.subject->info, report.show_tensors);
  }
  if (report.subject && report.subject->digests) put_digests(out, *report.subject->digests);
  put_checks(out, report);
  put_trouble(out, report);
  if (report.expected) {
    out += fmt::format("Expected {}: {}\n\n", md(report.expected->wanted),
                       report.expected->met ? "met" : "**not met**");
  }
  if (!report.rerun.empty()) out += fmt::format("Again: {}\n", md(report.rerun));
  return out;
}

std::string explain_markdown(std::span<const Explanation> entries, const RenderOptions&) {
  std::string out;
  std::vector<Cells> rows;
  for (const Explanation& each : entries) {
    rows.push_back({each.code, each.kind, each.level, each.meaning, each.remedy});
  }
  put_table(out, {"code", "kind", "level", "meaning", "what to do"}, rows);
  return out;
}

}  // namespace

const Reporter markdown_reporter{.id = "markdown",
                                 .title = "for job summaries",
                                 .render = markdown,
                                 .explain = explain_markdown,
                                 .support = support_markdown};

}  // namespace pedigree
