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
#include "model/model.h"
#include "tensor/matrix.h"

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
  Matrix first_strengths = {};     // neurons × probes, from 0 to 1
  Matrix second_strengths = {};
};

struct CouplingRequest {
  std::vector<int> layers = {};
  std::size_t chosen = 256;   // of a large layer: the neurons with the longest first rows
  std::uint64_t whole = 512;  // a layer of no more neurons than this is not large
};

// By entry of `layers`, without strengths; without neurons where a layer has no
// feed-forward block of its own.
Result<std::vector<CoupledNeurons>> coupled_neurons(const Model& model,
                                                    const CouplingRequest& request);

std::optional<Problem> add_strengths(const Model& model, std::vector<CoupledNeurons>& layers,
                                     unsigned threads, const Progress& progress);

// ‖P w‖²/(‖P‖²‖w‖²) for every row w of `rows`; 0 for empty rows.
std::vector<double> strengths(const Matrix& rows, const Matrix& probe, unsigned threads);

// What of the strengths a scheme id names: the multiplications a neuron's may take.
std::string strength_scheme();

// Columns of `rows` as rows, in floats: what add_transposed_product() takes.
std::vector<float> turned(const Matrix& rows);

}  // namespace pedigree
