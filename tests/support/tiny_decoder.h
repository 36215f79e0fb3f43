// Small random decoders and what can be done to their weights without changing what
// they compute: for laws about disguises.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/model_directory.h"

namespace pedigree {

struct TinyMatrix {  // row-major; vectors have one column
  std::size_t rows = 0;
  std::size_t cols = 1;
  std::vector<double> values = {};

  double& at(std::size_t i, std::size_t j) { return values[i * cols + j]; }
  double at(std::size_t i, std::size_t j) const { return values[i * cols + j]; }
};

// Tensors are kept as [out, in] under short names: "embed", "head", "norm", and for
// layer 0 "0.attn_norm", "0.q", "0.k", "0.v", "0.o", "0.ffn_norm", "0.gate", "0.up",
// "0.down". A plain decoder (GPT-2: LayerNorm, GELU, tied) has no gate and no head.
class TinyDecoder {
 public:
  TinyDecoder(bool gated, std::uint64_t seed);

  bool gated() const { return gated_; }
  TinyMatrix& tensor(const std::string& name) { return tensors_.at(name); }

  void fold_gains();                          // into the matrices behind; gains become one
  void rotate_residual(std::uint64_t seed);   // folds first; keeps the mean's direction if plain
  void permute_residual(std::uint64_t seed);  // and negates coordinates, if gated
  void smooth_inputs(std::uint64_t seed);     // AWQ: gain / s, columns behind · s
  std::vector<std::vector<std::size_t>> permute_neurons(std::uint64_t seed);  // new from old
  void scale_neurons(std::uint64_t seed);  // up · s, down / s, also negative; gated only
  void permute_heads(std::uint64_t seed);  // queries within their group; gated only
  void scale_heads(std::uint64_t seed);    // q · s, k / s and v · s, o / s
  void add_noise(double share, std::uint64_t seed);

  std::unique_ptr<ModelDirectory> written(const std::string& name) const;

  static constexpr std::size_t hidden = 64;
  static constexpr std::size_t ffn = 96;
  static constexpr std::size_t layers = 4;
  static constexpr std::size_t heads = 4;
  static constexpr std::size_t groups = 2;  // of queries that share keys and values; gated
  static constexpr std::size_t vocab = 300;

 private:
  std::string in_layer(std::size_t layer, const char* name) const;
  void mix_residual(const TinyMatrix& rotation);

  bool gated_;
  std::map<std::string, TinyMatrix> tensors_;
};

}  // namespace pedigree
