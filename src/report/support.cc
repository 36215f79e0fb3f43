// Renders what is supported: text for people, JSON for machines, Markdown for documents.
#include "report/support.h"

#include <array>
#include <span>
#include <utility>

#include "report/json_parts.h"
#include "report/markdown_parts.h"
#include "report/support_render.h"
#include "report/text_layout.h"

namespace pedigree {
namespace {

using Heading = std::pair<std::string_view, std::string_view>;  // kind, title

constexpr std::array headings = {
    Heading{"format", "Formats"},
    Heading{"packing", "Matrices that quantisers spread over several tensors"},
    Heading{"element-type", "Element types"},
};

// What a row says beside its name.
std::string note_of(const Supported& row) { return row.state == "read" ? row.checked : row.remedy; }

}  // namespace

std::string support_text(std::span<const Supported> rows, const RenderOptions& options) {
  TextPage page(options.width, options.colour);
  for (const auto& [kind, title] : headings) {
    std::vector<TextRow> cells;
    for (const Supported& row : rows) {
      if (row.kind != kind) continue;
      cells.push_back({.cells = {row.id, row.title, row.state, note_of(row)},
                       .style = row.state == "read" ? Style::plain : Style::faint});
    }
    if (cells.empty()) continue;
    page.heading(title);
    const bool noted = kind != "element-type";
    if (!noted) {
      for (TextRow& row : cells) row.cells.pop_back();
    }
    std::vector<TextColumn> columns = {{.title = "id"}, {.title = "what"}, {.title = "state"}};
    if (noted) columns.push_back({.title = "checked against, or what to do", .flexible = true});
    page.table(columns, cells);
  }
  return page.take();
}

std::string support_json(std::span<const Supported> rows, const RenderOptions& options) {
  OrderedJson out;
  out["schema"] = "pedigree-support/1";
  out["tool"] = json_tool(PEDIGREE_VERSION, {});
  out["entries"] = OrderedJson::array();
  for (const Supported& row : rows) {
    OrderedJson entry;
    entry["kind"] = json_text(row.kind);
    entry["id"] = json_text(row.id);
    put_text(entry, "title", row.title);
    entry["state"] = json_text(row.state);
    put_text(entry, "checked", row.checked);
    put_text(entry, "remedy", row.remedy);
    out["entries"].push_back(std::move(entry));
  }
  return out.dump(options.compact ? -1 : 2) + "\n";
}

std::string support_markdown(std::span<const Supported> rows, const RenderOptions&) {
  std::string out;
  for (const auto& [kind, title] : headings) {
    out +=
        "## " + std::string(title) + "\n\n| id | what | state | checked against, or what to do |\n";
    out += "|---|---|---|---|\n";
    for (const Supported& row : rows) {
      if (row.kind != kind) continue;
      out += "| " + md(row.id) + " | " + md(row.title) + " | " + md(row.state) + " | " +
             md(note_of(row)) + " |\n";
    }
    out += "\n";
  }
  return out;
}

}  // namespace pedigree
