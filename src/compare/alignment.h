// Which part of one model stands against which part of the other.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compare/compare.h"
#include "compare/two_view.h"
#include "compare/witness.h"
#include "fingerprint/ffn_place.h"

namespace pedigree {

// One feed-forward block of each side that stand against each other.
struct FfnMatch {
  FfnPlace subject = {};
  FfnPlace base = {};
  bool by_index = true;       // neuron i is neuron i
  NeuronPairs neurons = {};   // when not by index: those that were found
  std::size_t looked_up = 0;  // neurons asked for their partner
  std::size_t found = 0;      // of these
  bool in_part = false;       // some neurons were not at hand: who is not found may be there
  double distance = 0;        // ‖difference‖ over the root of both lengths, on what was sampled
};

FfnMatch match_of(const BlockAgreement& agreement);

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
  bool tokens_correspond = true;          // a token's embedding is that token's embedding
  std::vector<NeuronPairs> neurons = {};  // per entry of layers, when not by index
  std::vector<FfnMatch> experts = {};     // by (subject, base); empty between dense models

  // Where one side is narrower (width.h): sampled residual dimensions, and query heads
  // per entry of layers. Empty when both are as wide; hidden_by_index still says that
  // coordinates, not rotations, stand against each other.
  IndexPairs dimensions = {};
  std::vector<NeuronPairs> heads = {};

  bool by_width() const { return !dimensions.empty(); }
};

// What stands against each other in an entry of `layers`: its experts, or the one
// feed-forward block of either layer.
std::vector<FfnMatch> ffn_matches(const Alignment& alignment, std::size_t place);

// The blocks of an entry of `layers` whose neurons go by index, the nearest where it holds
// several; nothing when none do.
std::optional<std::pair<FfnPlace, FfnPlace>> indexed_blocks(const Alignment& alignment,
                                                            std::size_t place);

// Which neuron of one side is which of the other, wherever they stand.
struct NeuronLink {
  FfnPlace subject = {};
  FfnPlace base = {};
  std::uint64_t subject_neuron = 0;
  std::uint64_t base_neuron = 0;
};

// Up to `limit` neurons of an entry of `layers` that stand against each other, evenly
// spread. Where a layer holds experts, no neuron of either side stands in it twice.
std::vector<NeuronLink> neuron_links(const Alignment& alignment, std::size_t place,
                                     const Model& subject, const Model& base, std::size_t limit);

// The linked neurons of one side as rows over `dimensions` (columns, of down); no rows
// where a block lacks the part.
Result<Matrix> linked_rows(const Model& model, const std::vector<NeuronLink>& links,
                           bool of_subject, FfnPart part,
                           const std::vector<std::uint64_t>& dimensions);

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
