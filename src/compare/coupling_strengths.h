// How strongly FFN neurons couple to what else reads and writes the residual stream,
// from weights: what is left to recognise a neuron by once the residual basis, the order
// of neurons and the embeddings were changed together.
//
// With a neuron's row w and the rows P of a probe, the strength is ‖P w‖² over ‖P‖²‖w‖²:
// no orthogonal change of the residual basis, no order of the probe's rows and no
// factor on w alters it. The gain in front of either is multiplied in; LayerNorm models
// have every row centred. A probe's rows are those of one frequency of q or k, which
// RoPE ties to its index, over all heads, or all of v, o, or of one FFN matrix.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "compare/assignment.h"
#include "compare/neuron_views.h"
#include "model/model.h"

namespace pedigree {

struct Probe {
  int offset = 0;  // its layer, counted from the neuron's
  std::string role = {};
  int frequency = -1;  // of q and k under RoPE

  auto operator<=>(const Probe&) const = default;
};

// The neurons looked at in one layer by the two rows that neuron_answers.h names: what
// the answers are taken of, here in the residual basis itself.
struct CoupledNeurons {
  int layer = -1;
  bool gated = true;
  std::vector<std::uint64_t> neurons = {};  // indices in the layer, ascending
  Matrix first = {};                        // neurons × hidden
  Matrix second = {};
  std::vector<Probe> probes = {};  // ascending
  Matrix first_strengths = {};     // neurons × probes, in logs
  Matrix second_strengths = {};
};

struct CouplingRequest {
  std::vector<int> layers = {};
  std::size_t chosen = 256;  // of a layer of more than 512 neurons: those with the longest rows
};

// By entry of `layers`, without strengths; without neurons where a layer has no
// feed-forward block of its own.
Result<std::vector<CoupledNeurons>> coupled_neurons(const Model& model,
                                                    const CouplingRequest& request);

std::optional<Problem> add_strengths(const Model& model, std::vector<CoupledNeurons>& layers,
                                     unsigned threads, const Progress& progress);

// log ‖P w‖²/(‖P‖²‖w‖²) for every row w of `rows`.
std::vector<double> log_strengths(const Matrix& rows, const Matrix& probe, unsigned threads);

}  // namespace pedigree
