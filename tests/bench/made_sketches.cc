#include "bench/made_sketches.h"

#include <cmath>
#include <random>
#include <string>

namespace pedigree {
namespace {

class Maker {
 public:
  Maker(const SketchShape& shape, Flaw flaw, std::uint64_t seed)
      : shape_(shape), flaw_(flaw), random_(seed) {}

  Fingerprint make() {
    Fingerprint sketch{.scheme = "made"};
    sketch.architecture.layers = static_cast<std::uint64_t>(shape_.layers);
    sketch.architecture.hidden = shape_.hidden;
    sketch.architecture.ffn = shape_.units;
    sketch.architecture.head_dim = shape_.head;
    sketch.architecture.norm = "rmsnorm";
    sketch.architecture.gated_mlp = true;
    for (std::uint64_t i = 0; i < shape_.tokens; ++i)
      sketch.tokens.push_back({.row = i, .hash = i});
    for (int layer = -1; layer < shape_.layers; ++layer) add_layer(sketch, layer);
    return sketch;
  }

 private:
  void add_layer(Fingerprint& sketch, int layer) {
    if (layer < 0) {
      sketch.blocks.push_back(block("embed.tokens", layer, shape_.tokens, shape_.hidden));
      sketch.blocks.push_back(block("head.out", layer, shape_.tokens, shape_.hidden));
      return;
    }
    sketch.blocks.push_back(block("attn.k", layer, 2 * shape_.head, shape_.hidden));
    sketch.blocks.push_back(block("attn.o", layer, shape_.hidden, 2 * shape_.head));
    sketch.blocks.push_back(block("attn.q", layer, 2 * shape_.head, shape_.hidden));
    sketch.blocks.push_back(block("attn.v", layer, 2 * shape_.head, shape_.hidden));
    sketch.blocks.push_back(block("ffn.down", layer, shape_.hidden, shape_.units));
    sketch.blocks.push_back(block("ffn.gate", layer, shape_.units, shape_.hidden));
    sketch.blocks.push_back(block("ffn.up", layer, shape_.units, shape_.hidden));
    for (const char* role : {"ffn.gate", "ffn.up"}) {
      Responses answers{.role = role, .layer = layer};
      for (std::uint64_t i = 0; i < shape_.units; ++i) answers.units.push_back(i);
      answers.values = values(shape_.units, shape_.tokens);
      sketch.responses.push_back(std::move(answers));
    }
  }

  Block block(const char* role, int layer, std::uint64_t rows, std::uint64_t cols) {
    Block made{
        .role = role, .layer = layer, .full_rows = rows, .full_cols = cols, .element_type = "F32"};
    for (std::uint64_t i = 0; i < rows; ++i) made.rows.push_back(i);
    for (std::uint64_t j = 0; j < cols; ++j) made.cols.push_back(j);
    made.values = values(rows, cols);
    return made;
  }

  std::vector<float> values(std::uint64_t rows, std::uint64_t cols) {
    std::vector<float> made;
    made.reserve(rows * cols);
    for (std::uint64_t i = 0; i < rows; ++i) {
      const float length = row_length();
      for (std::uint64_t j = 0; j < cols; ++j) made.push_back(length * value(j));
      if (flaw_ == Flaw::repeats && i > 0 && chance(0.2)) repeat_a_row(made, i, cols);
    }
    return made;
  }

  float row_length() {
    if (flaw_ == Flaw::dead_rows && chance(0.15)) return 0;
    return flaw_ == Flaw::heavy_rows ? std::abs(heavy_(random_)) + 0.05F : 1;
  }

  float value(std::uint64_t column) {
    const float drawn = flaw_ == Flaw::heavy_rows ? heavy_(random_) : normal_(random_);
    if (flaw_ == Flaw::ties) return std::round(drawn);
    if (flaw_ == Flaw::offset) return drawn + 2;
    return flaw_ == Flaw::outlier_columns && column % 9 == 0 ? 40 * (drawn + 1) : drawn;
  }

  void repeat_a_row(std::vector<float>& made, std::uint64_t row, std::uint64_t cols) {
    const std::uint64_t from = random_() % row;
    for (std::uint64_t j = 0; j < cols; ++j) made[row * cols + j] = made[from * cols + j];
  }

  bool chance(double probability) { return uniform_(random_) < probability; }

  const SketchShape& shape_;
  Flaw flaw_;
  std::mt19937_64 random_;
  std::normal_distribution<float> normal_;
  std::student_t_distribution<float> heavy_{2.5F};
  std::uniform_real_distribution<double> uniform_;
};

}  // namespace

std::string_view flaw_name(Flaw flaw) {
  switch (flaw) {
    case Flaw::none:
      return "Gaussian";
    case Flaw::heavy_rows:
      return "heavy-tailed rows";
    case Flaw::outlier_columns:
      return "outlier columns";
    case Flaw::offset:
      return "common offset";
    case Flaw::dead_rows:
      return "dead rows";
    case Flaw::repeats:
      return "repeated rows";
    case Flaw::ties:
      return "tied features";
  }
  return "";
}

Fingerprint made_sketch(const SketchShape& shape, Flaw flaw, std::uint64_t seed) {
  return Maker(shape, flaw, seed).make();
}

SketchShape drawn_shape(std::uint64_t seed) {
  constexpr int shallow[] = {2, 2, 3, 3, 4, 4, 5, 6, 8};
  constexpr int deep[] = {12, 16, 24, 32, 48, 80, 126};
  std::mt19937_64 random(seed);
  SketchShape shape;
  // One in two hundred is deep: a pair of 126 layers costs as much as three hundred small ones.
  shape.layers = random() % 200 == 0 ? deep[random() % std::size(deep)]
                                     : shallow[random() % std::size(shallow)];
  shape.units = 20 + 4 * (random() % 8);
  shape.hidden = 20 + 4 * (random() % 8);
  shape.head = 16 + 8 * (random() % 2);
  shape.tokens = 32;
  return shape;
}

}  // namespace pedigree
