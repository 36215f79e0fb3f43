// Which part of one model stands against which part of the other.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compare/compare.h"
#include "compare/two_view.h"
#include "compare/witness.h"

namespace pedigree {

// Indices that stand against each other, place by place.
struct IndexPairs {
  std::vector<std::uint64_t> subject = {};
  std::vector<std::uint64_t> base = {};

  bool empty() const { return subject.empty(); }
};

struct Alignment {
  LayerMap layers = {};
  bool hidden_by_index = true;            // residual coordinate i is residual coordinate i
  bool neurons_by_index = true;           // FFN neuron i is FFN neuron i
  std::vector<NeuronPairs> neurons = {};  // per entry of layers, when not by index

  // Where one side is narrower (width.h): sampled residual dimensions, and query heads
  // per entry of layers. Empty when both are as wide; hidden_by_index still says that
  // coordinates, not rotations, stand against each other.
  IndexPairs dimensions = {};
  std::vector<NeuronPairs> heads = {};

  bool by_width() const { return !dimensions.empty(); }
};

// Rows of q (or, through the groups, of k and v: `of_values`) in heads that are
// paired, at most `most` of them.
IndexPairs paired_head_rows(const Side& subject, const Side& base, const NeuronPairs& heads,
                            bool of_values, std::size_t most);

// Finds the partners of sampled neurons when residual coordinates agree but the
// neurons were re-dealt or only some were kept: the sampled neurons of the side
// with fewer, looked up among all neurons of the other through gate and up rows
// on the shared residual dimensions. Needs weights of the larger side; costs one
// pass over its gate and up.
Result<std::vector<NeuronPairs>> found_neurons(const Side& subject, const Side& base,
                                               const LayerMap& layers, unsigned threads);

// How many of the looked-up neurons found a partner beyond doubt.
struct Found {
  std::size_t looked_up = 0;
  std::size_t found = 0;
  std::size_t longest_run = 0;  // order-preserving, smallest layer
  std::size_t in_order = 0;     // pooled lengths of order-preserving runs
};
Found summary_of(const std::vector<NeuronPairs>& neurons, std::size_t looked_up_per_layer);

// Length of the longest increasing subsequence of second members.
std::size_t longest_increasing_run(const NeuronPairs& pairs);

}  // namespace pedigree
