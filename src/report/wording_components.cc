#include "report/wording_components.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/text.h"
#include "model/adapter.h"
#include "report/numbers.h"

namespace pedigree {

std::string what_they_are(const Report& report) {
  if (!report.subject) return {};
  constexpr std::size_t most_named = 12;
  std::vector<std::string> names;
  for (const Subject& each : report.components) {
    if (names.size() < most_named) names.push_back(each.info.name);
  }
  if (report.components.size() > names.size()) names.emplace_back("…");
  const ModelInfo& whole = report.subject->info;
  std::string text =
      fmt::format("{}: {} {}, {}", whole.name, report.components.size(),
                  report.components.size() == 1 ? "model" : "models", fmt::join(names, ", "));
  if (whole.parameters > 0) text += fmt::format("; {} parameters", count_text(whole.parameters));
  if (whole.weight_bytes > 0) text += fmt::format(", {}", byte_size(whole.weight_bytes));
  return text;
}

std::vector<LabelledLine> component_lines(const Report& report) {
  std::vector<LabelledLine> lines;
  lines.reserve(report.components.size());
  for (const Subject& each : report.components) {
    lines.push_back({.label = each.info.name, .text = what_it_is(each)});
  }
  return lines;
}

std::string component_prefix(const Report& report, const Comparison& comparison) {
  if (report.components.empty()) return {};
  return comparison.subject.substr(comparison.subject.rfind('/') + 1) + ": ";
}

std::string adapter_in_words(const ModelInfo& info) {
  if (!info.adapter) return {};
  const Adapter& adapter = *info.adapter;
  std::string text;
  if (!adapter.declared.type.empty()) text += ", of type " + adapter.declared.type;
  if (adapter.declared.decomposed) text += " with DoRA";
  if (adapter.largest_rank > 0) {
    text += adapter.least_rank == adapter.largest_rank
                ? fmt::format(", rank {}", adapter.largest_rank)
                : fmt::format(", ranks {} to {}", adapter.least_rank, adapter.largest_rank);
  }
  if (adapter.declared.alpha)
    text += fmt::format(", alpha {}", number_text(*adapter.declared.alpha));
  if (!adapter.roles.empty()) text += fmt::format(", for {}", fmt::join(adapter.roles, ", "));
  if (!adapter.updates.empty()) {
    text += fmt::format(" ({} {})", adapter.updates.size(),
                        adapter.updates.size() == 1 ? "update" : "updates");
  }
  return text;
}

}  // namespace pedigree
