// The report for a terminal: five lines that answer, then the evidence.
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <span>

#include "report/numbers.h"
#include "report/reporters.h"
#include "report/support_render.h"
#include "report/text_layout.h"
#include "report/tree_render.h"
#include "report/wording.h"
#include "report/wording_architecture.h"
#include "report/wording_components.h"
#include "report/wording_joint.h"

namespace pedigree {
namespace {

constexpr std::size_t label_width = 14;
constexpr std::size_t files_listed = 12;   // without --formats
constexpr std::size_t verdict_width = 38;  // "inconclusive · continued-pretraining"
constexpr std::size_t strip_layers = 200;  // more layers than this get no strip

Style style_of(Severity severity) {
  switch (severity) {
    case Severity::note:
      return Style::plain;
    case Severity::warning:
      return Style::caution;
    case Severity::error:
      return Style::bad;
  }
  return Style::plain;
}

void put_lines(TextPage& page, const std::vector<LabelledLine>& lines) {
  for (const auto& [label, text] : lines) page.labelled(label, text, label_width);
}

void put_evidence(TextPage& page, const std::vector<Evidence>& evidence) {
  if (evidence.empty()) return;
  page.heading("Evidence");
  const std::vector<TextColumn> columns = {
      {.title = "statistic", .flexible = true},  {.title = "outcome", .flexible = true},
      {.title = "value", .right_aligned = true}, {.title = "log10 p", .right_aligned = true},
      {.title = "null", .flexible = true},       {.title = "samples", .right_aligned = true}};
  std::vector<TextRow> rows;
  for (const Evidence& each : evidence) {
    const bool measured = each.outcome == Evidence::Outcome::measured;
    std::string outcome(outcome_name(each.outcome));
    std::ranges::replace(outcome, '_', ' ');
    rows.push_back({.cells = {statistic_in_words(each, evidence), outcome,
                              measured ? number_text(each.value) : "",
                              measured && each.log10_p ? log10_text(*each.log10_p) : "",
                              measured ? null_in_words(each.null) : "",
                              each.samples > 0 ? fmt::format("{}", each.samples) : ""},
                    .note = each.because});
  }
  page.table(columns, rows);
}

// One character a layer, height by the layer's largest change; a dot where
// nothing changed.
std::string change_strip(const std::vector<RoleChange>& change) {
  constexpr std::array<std::string_view, 8> bars = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  int last = -1;
  double largest = 0;
  for (const RoleChange& each : change) {
    last = std::max(last, each.layer);
    if (each.layer >= 0) largest = std::max(largest, each.relative_delta);
  }
  if (last < 1 || static_cast<std::size_t>(last) >= strip_layers || largest <= 0) return {};
  std::vector<double> layers(static_cast<std::size_t>(last) + 1, 0.0);
  for (const RoleChange& each : change) {
    if (each.layer < 0) continue;
    double& height = layers[static_cast<std::size_t>(each.layer)];
    height = std::max(height, each.relative_delta);
  }
  std::string strip;
  for (const double height : layers) {
    const auto bar = static_cast<std::size_t>(on_grid(height / largest) * 7.999);
    strip += height > 0 ? bars[std::min<std::size_t>(bar, 7)] : "·";
  }
  return strip;
}

void put_change(TextPage& page, const Comparison& comparison) {
  const auto roles = change_by_role(comparison.change);
  if (roles.empty()) return;
  page.heading("Change by role");
  std::vector<TextRow> rows;
  for (const RoleSummary& each : roles) {
    std::string range = number_text(each.smallest);
    if (each.largest > each.smallest) range += " to " + number_text(each.largest);
    rows.push_back({.cells = {each.role, fmt::format("{}", each.layers),
                              each.exact == each.layers ? "none" : range,
                              each.exact > 0 ? fmt::format("{}", each.exact) : ""}});
  }
  page.table({{.title = "role", .flexible = true},
              {.title = "tensors", .right_aligned = true},
              {.title = "relative change", .right_aligned = true},
              {.title = "equal bit for bit", .right_aligned = true}},
             rows);
  const std::string strip = change_strip(comparison.change);
  if (!strip.empty()) page.labelled("  by layer", strip, label_width, Style::faint);
}

void put_rows(TextPage& page, const Comparison& comparison) {
  if (comparison.rows.empty()) return;
  page.heading("Tensors");
  std::vector<TextRow> rows;
  rows.reserve(comparison.rows.size());
  for (const TensorRow& each : comparison.rows) {
    const std::string there = each.base_name == each.name ? "same name" : each.base_name;
    rows.push_back({.cells = {each.name, there, each.state,
                              each.relative_delta ? number_text(*each.relative_delta) : ""}});
  }
  page.table({{.title = "tensor", .flexible = true},
              {.title = "in the base", .flexible = true},
              {.title = "state"},
              {.title = "change", .right_aligned = true}},
             rows);
}

void put_comparison(TextPage& page, const Comparison& comparison, bool with_summary) {
  page.heading(fmt::format("{} against {}", comparison.subject, comparison.base));
  put_lines(page, verdict_lines(comparison, with_summary));
  for (const Problem& problem : comparison.problems) {
    page.labelled(severity_name(problem.severity), problem.message, label_width,
                  style_of(problem.severity));
  }
  put_evidence(page, comparison.evidence);
  put_change(page, comparison);
  put_rows(page, comparison);
}

void put_joint(TextPage& page, const Report& report) {
  if (!report.joint) return;
  page.heading("All candidates together");
  put_lines(page, joint_lines(*report.joint));
  std::vector<TextRow> rows;
  for (const ParentRow& each : parent_rows(*report.joint)) {
    rows.push_back({.cells = {each.name, each.part, each.weight, each.t, each.kept}});
  }
  if (!rows.empty()) {
    page.heading("Parents");
    page.table({{.title = "model", .flexible = true},
                {.title = "as"},
                {.title = "weight", .right_aligned = true},
                {.title = "t", .right_aligned = true},
                {.title = "changes kept", .right_aligned = true}},
               rows);
  }
  put_evidence(page, report.joint->evidence);
}

void put_reading(TextPage& page, const Report& report) {
  if (std::ranges::all_of(report.comparisons, [](auto& each) { return each.evidence.empty(); })) {
    return;
  }
  page.heading("How to read the evidence");
  page.labelled("assumption", assumption(), label_width, Style::faint);
  page.labelled("columns", legend(), label_width, Style::faint);
}

void put_declared(TextPage& page, const Report& report) {
  if (report.declared.empty()) return;
  page.heading("Declared against verified");
  std::vector<TextRow> rows;
  for (const Declared& each : report.declared) {
    const bool wrong = each.verdict == "contradicted" || each.verdict == "undeclared";
    rows.push_back({.cells = {each.verdict, each.value, each.source},
                    .style = wrong ? Style::caution : Style::plain,
                    .note = each.because});
  }
  page.table({{.title = "verdict"},
              {.title = "parent", .flexible = true},
              {.title = "where", .flexible = true}},
             rows);
}

void put_findings(TextPage& page, const Report& report) {
  if (!report.findings.empty()) {
    page.heading("Findings");
    for (const Finding& each : report.findings) {
      page.labelled(severity_name(each.level), each.rule + " · " + each.subject, label_width,
                    style_of(each.level));
      page.labelled("", each.message, label_width);
      if (!each.remedy.empty()) page.labelled("", "→ " + each.remedy, label_width);
    }
  }
  const auto problems = problems_beside(report);
  if (problems.empty()) return;
  page.heading("Problems");
  for (const Problem& each : problems) {
    const std::string place = place_in_words(each);
    page.labelled(severity_name(each.severity), each.code + (place.empty() ? "" : " · " + place),
                  label_width, style_of(each.severity));
    page.labelled("", each.message, label_width);
    if (!each.remedy.empty()) page.labelled("", "→ " + each.remedy, label_width);
  }
}

void put_claims(TextPage& page, const ModelInfo& info) {
  if (info.claims.empty()) return;
  page.heading("Claims");
  std::vector<TextRow> rows;
  rows.reserve(info.claims.size());
  for (const Claim& each : info.claims) {
    rows.push_back({.cells = {each.key, each.value, claim_place(each)}});
  }
  page.table({{.title = "claim", .flexible = true},
              {.title = "value", .flexible = true},
              {.title = "where", .flexible = true}},
             rows);
}

void put_files(TextPage& page, const ModelInfo& info, bool all) {
  if (info.files.empty()) return;
  page.heading("Files");
  std::vector<TextRow> rows;
  const std::size_t listed = all ? info.files.size() : std::min(info.files.size(), files_listed);
  for (const ModelFile& each : std::span(info.files).first(listed)) {
    std::string note;
    if (each.expected_sha256) {
      note =
          fmt::format("sha256 {} according to its {}", *each.expected_sha256, each.expected_from);
    }
    rows.push_back({.cells = {each.path, each.format, byte_size(each.size)}, .note = note});
  }
  page.table({{.title = "file", .flexible = true},
              {.title = "format"},
              {.title = "size", .right_aligned = true}},
             rows);
  if (listed < info.files.size()) {
    page.paragraph(fmt::format("and {} more; --formats lists them", info.files.size() - listed), 2);
  }
}

void put_tensors(TextPage& page, const ModelInfo& info) {
  page.heading("Tensors");
  std::vector<TextRow> rows;
  for (std::size_t i = 0; i < info.tensors.size(); ++i) {
    const TensorEntry& entry = info.tensors[i].entry;
    std::string roles;
    for (const CanonicalTensor& part : info.canonical) {
      if (part.tensor == i) roles += (roles.empty() ? "" : ", ") + part.role;
    }
    rows.push_back({.cells = {entry.name, entry.type_name, shape_text(entry.shape), roles}});
  }
  page.table({{.title = "tensor", .flexible = true},
              {.title = "type"},
              {.title = "shape"},
              {.title = "role", .flexible = true}},
             rows);
}

void put_inventory(TextPage& page, const Report& report, const ModelInfo& info) {
  const auto lines = architecture_lines(info);
  if (!lines.empty()) {
    page.heading("Architecture");
    put_lines(page, lines);
  }
  if (report.show_files || report.command == "inspect") put_files(page, info, report.show_files);
  put_claims(page, info);
  if (report.show_tensors) put_tensors(page, info);
}

// sha256sum's own line form, so that the lines can be saved and checked.
void put_digests(TextPage& page, const ModelDigests& digests, bool tensors) {
  if (!digests.files.empty()) {
    page.heading("Files (sha256)");
    for (const FileDigest& each : digests.files) page.labelled(each.sha256, each.path, 66);
  }
  if (!digests.named.empty() || !digests.bag.empty()) page.heading("Model");
  if (!digests.named.empty()) page.labelled("named", digests.named, label_width);
  if (!digests.bag.empty()) page.labelled("bag", digests.bag, label_width);
  if (!tensors || digests.tensors.empty()) return;
  page.heading("Tensors");
  for (const TensorDigest& each : digests.tensors) {
    page.paragraph(each.name +
                   (each.informative ? "" : " (too little information to be evidence)"));
    for (const std::string& digest : {each.h1, each.h2, each.h3}) {
      if (!digest.empty()) page.paragraph(digest, 2, Style::faint);
    }
  }
}

void put_checks(TextPage& page, const Report& report) {
  if (report.checks.empty()) return;
  page.heading("Expected digests");
  std::vector<TextRow> rows;
  rows.reserve(report.checks.size());
  for (const DigestCheck& each : report.checks) {
    rows.push_back({.cells = {each.state, each.file, each.source},
                    .style = each.state == "match" ? Style::good : Style::bad});
  }
  page.table({{.title = "state"},
              {.title = "file", .flexible = true},
              {.title = "from", .flexible = true}},
             rows);
}

void put_written(TextPage& page, const Report& report) {
  for (const Written& each : report.written) {
    page.paragraph(fmt::format("{}: {} written to {}; read {} of {}", each.model,
                               byte_size(each.size), each.path, byte_size(each.bytes_read),
                               byte_size(each.weight_bytes)));
  }
}

std::string compact_text(const Report& report, const RenderOptions& options) {
  constexpr unsigned one_line = 1'000'000;
  TextPage page(one_line, options.colour);
  for (const Comparison& each : report.comparisons) {
    const std::string& summary = each.verdict.summary;
    page.labelled(
        each.verdict.derived + " · " + each.verdict.relation,
        summary.empty() ? each.subject + ": " + verdict_phrase(each.verdict, each.base) : summary,
        verdict_width, Style::plain);
  }
  if (report.joint) {
    page.labelled("together · " + report.joint->relation, report.joint->summary, verdict_width,
                  Style::plain);
  }
  return page.take();
}

std::string text(const Report& report, const RenderOptions& options) {
  if (report.tree) return tree_text(report, options);
  if (options.compact) return compact_text(report, options);
  TextPage page(options.width, options.colour);
  if (report.subject || !report.problems.empty()) page.heading(headline(report));
  if (report.subject) page.blank();
  put_lines(page, five_lines(report));
  if (!report.components.empty()) {
    page.heading("Components");
    put_lines(page, component_lines(report));
  }
  put_written(page, report);
  put_declared(page, report);
  const bool several = report.comparisons.size() > 1;
  for (const Comparison& comparison : report.comparisons) {
    put_comparison(page, comparison, several || !report.subject);
  }
  put_joint(page, report);
  put_reading(page, report);
  if (report.subject && report.components.empty() &&
      (report.comparisons.empty() || report.show_tensors || report.show_files) &&
      report.command != "digest") {
    put_inventory(page, report, report.subject->info);
  }
  if (report.subject && report.subject->digests) {
    put_digests(page, *report.subject->digests, report.show_tensors);
  }
  put_checks(page, report);
  put_findings(page, report);
  if (report.expected) {
    page.heading("Expectation");
    page.paragraph(
        fmt::format("{}: {}", report.expected->wanted, report.expected->met ? "met" : "not met"));
  }
  if (!report.rerun.empty()) {
    page.heading("Again");
    page.command(report.rerun, 2);
  }
  return page.take();
}

std::string explain_text(std::span<const Explanation> entries, const RenderOptions& options) {
  TextPage page(options.width, options.colour);
  for (const Explanation& each : entries) {
    page.heading(fmt::format("{} · {}{}", each.code, each.kind,
                             each.level.empty() ? "" : " (" + each.level + ")"));
    page.paragraph(each.meaning, 2);
    if (!each.remedy.empty()) page.paragraph("→ " + each.remedy, 2);
  }
  return page.take();
}

}  // namespace

const Reporter text_reporter{.id = "text",
                             .title = "for people",
                             .render = text,
                             .explain = explain_text,
                             .support = support_text};

}  // namespace pedigree
