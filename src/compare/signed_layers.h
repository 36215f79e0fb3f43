// The sign-symmetry test on sampled sub-blocks, for any pair of layers.
#pragma once

#include <vector>

#include "compare/layer_looks.h"
#include "compare/sign_symmetry.h"

namespace pedigree {

// Where the symmetry holds, by what the architectures say of themselves.
struct FreeSigns {
  bool neurons = false;     // gated MLPs whose up can be told from gate
  bool channels = false;    // value channels, told from keys
  bool dimensions = false;  // norms that only rescale, on both sides
};
FreeSigns free_signs(const Architecture& subject, const Architecture& base);

class SignedLayers {
 public:
  // Both must outlive this.
  SignedLayers(const Fingerprint& subject, const Fingerprint& base, unsigned threads);

  // Neurons by up row and down column, value channels by v row, of one layer pair.
  SignSum units(int a, int b) const;

  // Residual dimensions: one sign each for the whole model, seen through every matrix
  // that reads or writes them in the mapped layers, the embedding and the head.
  SignSum dimensions(const LayerMap& map, unsigned threads) const;

  // By residual dimension, the mean cosine of what it is seen through; negative where a
  // sign was flipped. Empty where dimensions have no free sign.
  std::vector<double> dimension_likeness(const LayerMap& map, unsigned threads) const;

  // The pairs of layers most alike in their units, each layer used once; ascending.
  LayerMap best_map(unsigned threads) const;

  const FreeSigns& free() const { return free_; }

 private:
  struct Ready {
    PreparedRows up = {};
    PreparedRows down = {};
    std::vector<PreparedRows> values = {};  // a matrix for each sampled head
  };
  using Side = std::vector<Ready>;  // by layer, against the other's first layer

  std::vector<double> dimension_totals(const LayerMap& map, unsigned threads,
                                       std::size_t& views) const;
  Ready made(bool of_subject, int layer, int other_layer) const;
  Side side(bool of_subject, unsigned threads) const;
  bool alike(bool of_subject, int layer) const;  // samples what its first layer samples

  const Fingerprint& subject_;
  const Fingerprint& base_;
  FreeSigns free_;
  Side subject_layers_;
  Side base_layers_;
  std::vector<bool> subject_alike_;
  std::vector<bool> base_alike_;
};

}  // namespace pedigree
