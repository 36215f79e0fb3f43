// Pairing by index, layer by layer: the exact tests of statistics.md section 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "compare/compare.h"
#include "compare/witness.h"

namespace pedigree {

// What the witnesses of one layer pair say.
struct Cell {
  std::size_t matched = 0;    // units paired with their own index, over all witnesses
  std::size_t units = 0;      // of these witnesses
  std::size_t witnesses = 0;  // with independent permutations

  void add(const Cell& other);
};

// One witness, `units` of whose units carry information. `screened`: where
// plainly_unpaired() rules it out it counts as without a match, unsolved.
Cell cell_of(std::span<const PreparedView> views, std::size_t units, bool screened,
             unsigned threads = 1);

// log10 of the probability that unrelated models score `cell` or more, when
// `tries` such cells were looked at.
double log10_p(const Cell& cell, double log10_tries = 0);

// Is this one cell, among `cells` looked at, beyond chance (p ≤ 1e-4)?
bool stands_out(const Cell& cell, std::size_t cells);

using CellOf = std::function<Cell(int subject_layer, int base_layer)>;

// All layer pairs, row-major subject × base; cells are computed in parallel.
struct CellTable {
  int subject_layers = 0;
  int base_layers = 0;
  std::vector<Cell> cells = {};

  const Cell& at(int a, int b) const {
    return cells[static_cast<std::size_t>(a) * static_cast<std::size_t>(base_layers) +
                 static_cast<std::size_t>(b)];
  }
};
CellTable cell_table(int subject_layers, int base_layers, const CellOf& cell, unsigned threads);

// For every subject layer the base layer it stands out with, the one that keeps
// the order among equals; subject layers that stand out with none are left out.
LayerMap best_layer_map(const CellTable& table);

LayerMap identity_map(const Fingerprint& subject, const Fingerprint& base);
Cell pooled(const LayerMap& map, const CellOf& cell, unsigned threads = 1);

// What a count of matches says, in words: `units` are "FFN neurons", say.
Evidence pairing_evidence(std::string statistic, std::string stage, const Cell& cell,
                          double log10_tries, std::string_view units);

}  // namespace pedigree
