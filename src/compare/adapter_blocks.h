// Matching blocks of subject and base, and what adapters say was added between them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compare/adapter_sum.h"

namespace pedigree {

// Up to 64 × 256 values, at places drawn by the adapters' own bytes, of one matrix or vector that
// both models have.
struct AdapterBlock {
  std::string role = {};
  int layer = -1;
  int expert = -1;
  std::vector<double> change = {};  // subject − base
  std::vector<double> step = {};    // half the spacing of the stored types at each value;
                                    // below 0 where a value is not finite
  double subject_energy = 0;        // Σ subject²
  // By adapters: scale·B·A, empty where one does not aim here; and the sum of magnitudes
  // behind each value, of which its own rounding is a fraction.
  std::vector<std::vector<double>> added = {};
  std::vector<std::vector<double>> behind = {};
  double slack = 0;  // that fraction: of computing in the stored type

  // Is it the base's, to within rounding?
  bool is_unchanged() const;
};

struct AdapterBlocks {
  std::vector<AdapterBlock> blocks = {};  // that some adapter aims at, by (layer, role, expert)
  std::size_t others_changed = 0;         // tensors that none aims at and that are not the base's
  // Tensors whose types have no steps, and those of which an adapter has half the rank or more:
  // it could come near to any difference.
  std::size_t unread = 0;
  bool scaled_rows = false;       // a DoRA: its sums are scaled afterwards
  std::vector<bool> scaled = {};  // by adapters: the file says the scale of each update
};

Result<AdapterBlocks> adapter_blocks(const Model& subject, const Model& base,
                                     std::span<const NamedModel> adapters);

}  // namespace pedigree
