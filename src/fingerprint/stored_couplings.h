// What a fingerprint's deep part keeps so that copies can be found by couplings: how strongly
// neurons of some layers couple to matrices (coupling_strengths.h), and, in the place of their
// rows, the products of these rows between layers. docs/fingerprint.md section 8 is the
// specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fingerprint/coupling_strengths.h"
#include "model/model.h"

namespace pedigree {

struct CoupledLayer {
  int layer = -1;
  bool gated = true;
  std::vector<std::uint64_t> neurons = {};  // indices in the layer, ascending
  std::vector<Probe> probes = {};           // ascending
  std::vector<float> first_strengths = {};  // neurons × probes, row-major
  std::vector<float> second_strengths = {};
};

// Products of the rows of two layers' neurons: one's × other's, row-major.
struct CoupledPair {
  int one = -1;
  int other = -1;  // above `one`
  std::vector<float> first_first = {};
  std::vector<float> first_second = {};  // first rows of `one`, second rows of `other`
  std::vector<float> second_first = {};
};

struct StoredCouplings {
  std::vector<CoupledLayer> layers = {};  // ascending; those that have neurons
  std::vector<CoupledPair> pairs = {};    // ascending
};

// The layers whose neurons are looked at in a model of this depth and width, where the other
// has as many layers: eight, four where the residual stream is wider than 1024, evenly spread.
std::vector<int> coupled_layers(const Architecture& architecture);

// `c8:w1024:n512:p256:b8000000`: what of the couplings a scheme id names.
std::string coupling_scheme();

// Reads the chosen neurons' rows and the probes of their layers. 2 × 2²⁴ multiplications a
// neuron at most. Empty where a product is not finite.
Result<StoredCouplings> stored_couplings(const Model& model, unsigned threads,
                                         const Progress& progress);

}  // namespace pedigree
