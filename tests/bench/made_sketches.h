// Random fingerprints of independent models, with what makes naive statistics
// fail: heavy-tailed rows, massive dimensions, common offsets,
// dead and repeated rows, tied features. Positions of flaws are drawn anew for
// every model: a flaw at a fixed index would break the assumption that is tested.
#pragma once

#include <cstdint>
#include <string_view>

#include "compare/neuron_lookup.h"
#include "fingerprint/fingerprint.h"

namespace pedigree {

struct SketchShape {
  int layers = 2;
  std::uint64_t units = 64;   // sampled neurons
  std::uint64_t hidden = 64;  // sampled residual dimensions
  std::uint64_t head = 32;    // value channels of a head; two heads are sampled
  std::uint64_t tokens = 64;
  int experts = 0;                  // in a layer; 0 for a dense model
  bool experts_are_copies = false;  // of one block, changed a little: they share an order
};

enum class Flaw : unsigned char {
  none,
  heavy_rows,
  outlier_columns,
  offset,
  dead_rows,
  repeats,
  ties
};
inline constexpr int flaw_count = 7;
std::string_view flaw_name(Flaw flaw);

// Two calls with unlike seeds are two independent models.
Fingerprint made_sketch(const SketchShape& shape, Flaw flaw, std::uint64_t seed);

// Neurons × `dimensions` of a block of `count`, as they are looked up by content.
NeuronRows made_rows(std::size_t count, std::size_t dimensions, Flaw flaw, std::uint64_t seed);

// One pair in three has experts on one side or on both.
void draw_experts(SketchShape& one, SketchShape& other, std::uint64_t seed);

// A shape drawn from those that occur: 2 to 126 layers, deep ones rarely.
SketchShape drawn_shape(std::uint64_t seed);

}  // namespace pedigree
