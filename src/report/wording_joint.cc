#include "report/wording_joint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/numbers.h"

namespace pedigree {
namespace {

constexpr std::size_t shown_layers = 24;

void add(std::vector<LabelledLine>& lines, std::string label, std::string text) {
  if (!text.empty()) lines.push_back({.label = std::move(label), .text = std::move(text)});
}

std::string relation_of(const Joint& joint) {
  return joint.method.empty() ? joint.relation
                              : fmt::format("{} ({})", joint.relation, joint.method);
}

std::string fit_of(const Joint& joint) {
  if (joint.parents.empty()) return {};
  std::string text = joint.within_rounding ? "within the rounding of the stored type"
                                           : "more is left than rounding leaves";
  if (joint.rounding_ratio && *joint.rounding_ratio > 0) {
    text += fmt::format("; relative residual {}, {} times what one rounding leaves",
                        number_text(joint.residual), number_text(*joint.rounding_ratio));
  }
  if (joint.condition) {
    text += fmt::format("; condition number {}", number_text(*joint.condition));
  }
  return text;
}

// Runs of layers copied from one parent in its own order.
std::string copied_layers(const Joint& joint) {
  struct Run {
    int first = 0;
    int last = 0;
    int from = 0;
    std::size_t parent = 0;
  };
  std::vector<Run> runs;
  for (const JointPart& part : joint.parts) {
    if (part.layer < 0 || !part.from) continue;
    const auto at = std::ranges::max_element(part.weights);
    const auto parent = static_cast<std::size_t>(at - part.weights.begin());
    if (!runs.empty() && runs.back().parent == parent) {
      Run& run = runs.back();
      const int from_last = run.from + run.last - run.first;
      if (part.layer == run.last && *part.from == from_last) continue;
      if (part.layer == run.last + 1 && *part.from == from_last + 1) {
        ++run.last;
        continue;
      }
    }
    runs.push_back({.first = part.layer, .last = part.layer, .from = *part.from, .parent = parent});
  }
  std::vector<std::string> texts;
  for (const Run& run : runs) {
    const auto span = [](int first, int last) {
      return first == last ? fmt::format("{}", first) : fmt::format("{}–{}", first, last);
    };
    texts.push_back(fmt::format("{} ← {} {}", span(run.first, run.last),
                                joint.parents[run.parent].name,
                                span(run.from, run.from + run.last - run.first)));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

// The first parent's weight, averaged over each layer's matrices, where layers
// differ.
std::string weights_by_layer(const Joint& joint) {
  std::map<int, std::pair<double, double>> layers;
  for (const JointPart& part : joint.parts) {
    if (part.layer < 0 || part.weights.empty()) continue;
    layers[part.layer].first += part.weights.front();
    layers[part.layer].second += 1;
  }
  double low = HUGE_VAL;
  double high = -HUGE_VAL;
  std::vector<std::string> texts;
  for (const auto& [layer, sum] : layers) {
    const double mean = sum.first / sum.second;
    low = std::min(low, mean);
    high = std::max(high, mean);
    if (texts.size() < shown_layers) texts.push_back(fmt::format("{:.2f}", on_grid(mean)));
  }
  if (layers.size() < 2 || high - low < 0.02) return {};
  if (layers.size() > shown_layers) texts.emplace_back("…");
  return fmt::format("weight of {} by layer: {}", joint.parents.front().name,
                     fmt::join(texts, ", "));
}

ParentRow row_of(const JointParent& parent, std::string part) {
  return {.name = parent.name,
          .weight = number_text(parent.weight),
          .t = parent.t ? number_text(*parent.t) : "",
          .kept = parent.kept ? percent_text(*parent.kept) : "",
          .part = std::move(part)};
}

}  // namespace

std::vector<LabelledLine> joint_lines(const Joint& joint) {
  std::vector<LabelledLine> lines;
  add(lines, "verdict", joint.summary);
  add(lines, "relation", relation_of(joint));
  add(lines, "direction",
      joint.direction_because.empty() ? joint.direction
                                      : joint.direction + ": " + joint.direction_because);
  add(lines, "fit", fit_of(joint));
  if (joint.parents.empty()) return lines;
  const bool copied =
      std::ranges::any_of(joint.parts, [](const JointPart& part) { return part.from.has_value(); });
  add(lines, "layers", copied ? copied_layers(joint) : weights_by_layer(joint));
  add(lines, "not needed", fmt::format("{}", fmt::join(joint.unneeded, ", ")));
  return lines;
}

std::vector<ParentRow> parent_rows(const Joint& joint) {
  std::vector<ParentRow> rows;
  rows.reserve(joint.parents.size() + 1);
  for (const JointParent& each : joint.parents) rows.push_back(row_of(each, "parent"));
  if (joint.base) rows.push_back(row_of(*joint.base, "base"));
  return rows;
}

}  // namespace pedigree
