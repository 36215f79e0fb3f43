#include "compare/pairing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/parallel.h"
#include "compare/assignment.h"
#include "compare/bounds.h"

namespace pedigree {
namespace {

constexpr std::uint64_t relabelling_seed = 0x70656469677265ULL;  // part of the scheme "…-pairing/1"

void for_each_cell(std::vector<Cell>& cells, unsigned threads,
                   const std::function<Cell(std::size_t)>& cell) {
  const auto problem =
      parallel_for(cells.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        cells[i] = cell(i);
        return std::nullopt;
      });
  check(!problem, "computing a layer cell cannot fail");
}

}  // namespace

void Cell::add(const Cell& other) {
  matched += other.matched;
  units += other.units;
  witnesses += other.witnesses;
}

Cell cell_of(std::span<const PreparedView> views, std::size_t units, bool screened,
             unsigned threads) {
  if (screened && plainly_unpaired(views)) return {.units = units, .witnesses = 1};
  return {.matched = matched_count(similarity(views, threads), relabelling_seed),
          .units = units,
          .witnesses = 1};
}

double log10_p(const Cell& cell, double log10_tries) {
  return std::min(0.0, log10_pooled_matches(cell.matched, cell.witnesses) + log10_tries);
}

bool stands_out(const Cell& cell, std::size_t cells) {
  return cell.witnesses > 0 && log10_p(cell, std::log10(static_cast<double>(cells))) <= -4;
}

CellTable cell_table(int subject_layers, int base_layers, const CellOf& cell, unsigned threads) {
  CellTable table{.subject_layers = subject_layers, .base_layers = base_layers};
  table.cells.resize(static_cast<std::size_t>(subject_layers) *
                     static_cast<std::size_t>(base_layers));
  const auto columns = static_cast<std::size_t>(base_layers);
  for_each_cell(table.cells, threads, [&](std::size_t i) {
    return cell(static_cast<int>(i / columns), static_cast<int>(i % columns));
  });
  return table;
}

LayerMap best_layer_map(const CellTable& table) {
  LayerMap map;
  int expected = 0;
  for (int a = 0; a < table.subject_layers; ++a) {
    int best = -1;
    for (int b = 0; b < table.base_layers; ++b) {
      const Cell& cell = table.at(a, b);
      if (!stands_out(cell, table.cells.size())) continue;
      const std::size_t best_matched = best < 0 ? 0 : table.at(a, best).matched;
      const bool nearer = std::abs(b - expected) < std::abs(best - expected);
      if (cell.matched > best_matched || (cell.matched == best_matched && nearer)) best = b;
    }
    if (best < 0) continue;
    map.emplace_back(a, best);
    expected = best + 1;
  }
  return map;
}

LayerMap identity_map(const Fingerprint& subject, const Fingerprint& base) {
  LayerMap map;
  const auto depth = std::min(subject.architecture.layers, base.architecture.layers);
  for (int i = 0; i < static_cast<int>(depth); ++i) map.emplace_back(i, i);
  return map;
}

Cell pooled(const LayerMap& map, const CellOf& cell, unsigned threads) {
  std::vector<Cell> cells(map.size());
  for_each_cell(cells, threads, [&](std::size_t i) { return cell(map[i].first, map[i].second); });
  Cell total;
  for (const Cell& each : cells) total.add(each);
  return total;
}

Evidence pairing_evidence(std::string statistic, std::string stage, const Cell& cell,
                          double log10_tries, std::string_view units) {
  Evidence evidence{.statistic = std::move(statistic), .stage = std::move(stage)};
  if (cell.witnesses == 0) {
    evidence.outcome = Evidence::Outcome::not_applicable;
    evidence.because = fmt::format("The two models share no sampled {} to pair.", units);
    return evidence;
  }
  evidence.outcome = Evidence::Outcome::measured;
  evidence.value = static_cast<double>(cell.matched);
  evidence.log10_p = log10_p(cell, log10_tries);
  evidence.null = Evidence::Null::exact;
  evidence.samples = cell.units;
  evidence.because = fmt::format(
      "{} of {} sampled {} are best paired with the one of their own number; {} would be expected "
      "of unrelated models.",
      cell.matched, cell.units, units, cell.witnesses);
  return evidence;
}

}  // namespace pedigree
