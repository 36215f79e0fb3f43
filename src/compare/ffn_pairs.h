// Pairing feed-forward neurons by index: every block of a layer, its own or its
// experts, against every block of the other side's layer.
//
// Experts made from one dense block share its order of neurons, so their counts
// are no independent witnesses. Each layer pair speaks through its best block
// pair alone, and p pays for the choice: with c pairs to choose from in a layer,
// P(best choice over the layers scores k) ≤ Π c · P(one fixed choice scores k).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "compare/layer_pairs.h"
#include "fingerprint/ffn_place.h"

namespace pedigree {

// A model's feed-forward blocks as the layers of one sketch, under a dense layer's roles.
struct FfnSketch {
  Fingerprint sketch = {};
  std::vector<FfnPlace> places = {};  // of its layer i, ascending
  bool has_all_experts = false;       // known to; a sketch may keep some of a layer's

  // Its layers that are blocks of `layer`: [first, second).
  std::pair<int, int> blocks_of(int layer) const;
  int number_of(const FfnPlace& place) const;  // -1 when it is not among them
};

// From the sketch. Where one side has experts and the other side's blocks have fewer
// neurons, so that the two samples share too few, the other side's sample is read
// instead, if weights are at hand.
Result<FfnSketch> ffn_sketch(const Side& side, const Fingerprint& other);

// Adds, from weights, the answers of the sampled neurons of blocks that have none in
// the sketch; a fingerprint keeps those of dense blocks only.
std::optional<Problem> add_answers(FfnSketch& blocks, const Side& side, unsigned threads,
                                   const Progress& progress);

std::vector<std::uint64_t> token_rows(const Fingerprint& sketch);  // of the sampled tokens

// What a sketch keeps of answers: what neurons read, by gate and up, as those of block number
// `block`.
void add_read_answers(const NeuronAnswers& seen, int block, std::vector<Responses>& responses);

class FfnPairs {
 public:
  FfnPairs(FfnSketch subject, FfnSketch base);
  FfnPairs(const FfnPairs&) = delete;
  FfnPairs& operator=(const FfnPairs&) = delete;

  const FfnSketch& subject() const { return subject_; }
  const FfnSketch& base() const { return base_; }
  bool any_experts() const { return any_experts_; }

  // The best block pair of a layer pair.
  Cell neurons(int a, int b, bool screened = false) const;
  Cell responses(int a, int b, bool screened = false) const;

  // One block pair, by their numbers in the sketches.
  Cell block_neurons(int i, int j, bool screened) const { return pairs_.neurons(i, j, screened); }
  Cell block_responses(int i, int j) const { return pairs_.responses(i, j); }

  // Block pairs that a layer pair chooses from, one at least.
  std::size_t choices(int a, int b) const;
  double log10_choices(const LayerMap& map) const;
  // Of all maps of subject layers to a base layer, or none, with every choice in them.
  double log10_maps(int subject_layers, int base_layers) const;

  // The first block pair of a layer pair, to plant likeness in.
  std::optional<Witness> witness(int a, int b) const;

 private:
  template <class CellOfBlocks>
  Cell best(int a, int b, const CellOfBlocks& cell) const;

  FfnSketch subject_;
  FfnSketch base_;
  bool any_experts_ = false;
  LayerPairs pairs_;
};

}  // namespace pedigree
