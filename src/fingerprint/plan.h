// What a fingerprint will look at, decided from metadata alone: which rows and
// columns of which tensors, for which tokens, within the size budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fingerprint/fingerprint.h"
#include "fingerprint/sampling.h"
#include "model/model.h"

namespace pedigree {

// How much is kept of each layer. A lower level keeps subsets of a higher one,
// so fingerprints of different levels compare on what both hold.
struct Detail {
  std::uint32_t level = 0;
  std::uint32_t qk_rows = 128;        // of q and k
  std::uint32_t vo_rows = 128;        // rows of v, columns of o
  std::uint32_t response_units = 64;  // neurons with responses
  std::uint32_t side = 64;            // neurons and residual dimensions of a block
  std::uint32_t layers = 0;           // how many layers are kept; 0 for all
};

struct PlannedBlock {
  const CanonicalTensor* tensor = nullptr;
  std::vector<std::uint64_t> rows = {};
  std::vector<std::uint64_t> cols = {};
  std::vector<std::uint64_t> response_units = {};  // subset of rows; empty when none are wanted
  std::size_t gain = 0;  // index into gains, when response_units is not empty
};

struct PlannedGain {
  const CanonicalTensor* tensor = nullptr;
  std::vector<std::uint64_t> channels = {};  // empty: all
};

struct Plan {
  Detail detail = {};
  const CanonicalTensor* embedding = nullptr;
  std::vector<SampledToken> tokens = {};
  bool tokens_by_row = false;
  std::vector<PlannedBlock> blocks = {};  // by (layer, role, expert)
  std::vector<PlannedGain> gains = {};    // by (layer, role)
};

// Bytes of arrays a container may hold; the rest of its 8 MB is for names,
// claims and the tokenizer's sketch.
constexpr std::uint64_t array_budget = 7'500'000;

// More values than this are never held at once for one tensor.
constexpr std::uint64_t held_values = std::uint64_t{1} << 24U;

// Gains longer than this are sampled.
constexpr std::uint64_t gain_channels = 4096;

Plan plan_fingerprint(const Model& model, const SamplingScheme& scheme,
                      const FingerprintOptions& options);

}  // namespace pedigree
