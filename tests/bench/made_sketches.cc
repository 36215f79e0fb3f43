#include "bench/made_sketches.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>

namespace pedigree {
namespace {

class Maker {
 public:
  Maker(const SketchShape& shape, Flaw flaw, std::uint64_t seed)
      : shape_(shape), flaw_(flaw), random_(seed) {
    // A model's own: which dimensions grow massive, and with which sign, is up to chance.
    for (float& scale : outliers_) {
      if (random_() % 9 == 0) scale = random_() % 2 == 0 ? 40.0F : -40.0F;
    }
  }

  Fingerprint make() {
    Fingerprint sketch{.scheme = "made"};
    sketch.architecture.layers = static_cast<std::uint64_t>(shape_.layers);
    sketch.architecture.hidden = shape_.hidden;
    sketch.architecture.ffn = shape_.units;
    sketch.architecture.head_dim = shape_.head;
    sketch.architecture.norm = "rmsnorm";
    sketch.architecture.gated_mlp = true;
    sketch.architecture.experts = static_cast<std::uint64_t>(shape_.experts);
    for (std::uint64_t i = 0; i < shape_.tokens; ++i)
      sketch.tokens.push_back({.row = i, .hash = i});
    for (int layer = -1; layer < shape_.layers; ++layer) add_layer(sketch, layer);
    return sketch;
  }

  NeuronRows rows(std::size_t count, std::size_t dimensions) {
    NeuronRows made;
    for (std::size_t i = 0; i < count; ++i) made.neurons.push_back(i);
    for (Matrix* part : {&made.gate, &made.up, &made.down}) {
      const auto drawn = values(count, dimensions);
      *part = Matrix(count, dimensions);
      std::ranges::copy(drawn, part->values.begin());
    }
    return made;
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
    if (shape_.experts > 0) {
      add_experts(sketch, layer);
      return;
    }
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

  void add_experts(Fingerprint& sketch, int layer) {
    for (const char* role : {"moe.down", "moe.gate", "moe.up"}) {
      const bool down = std::string_view(role) == "moe.down";
      Block first = block(role, layer, down ? shape_.hidden : shape_.units,
                          down ? shape_.units : shape_.hidden);
      for (int expert = 0; expert < shape_.experts; ++expert) {
        Block made = first;
        made.expert = expert;
        if (!shape_.experts_are_copies) made.values = values(made.rows.size(), made.cols.size());
        for (float& each : made.values)
          each += shape_.experts_are_copies ? each * 0.1F * normal_(random_) : 0;
        sketch.blocks.push_back(std::move(made));
      }
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
    const float scale = outliers_[column % outliers_.size()];
    return flaw_ == Flaw::outlier_columns && scale != 0 ? scale * (drawn + 1) : drawn;
  }

  void repeat_a_row(std::vector<float>& made, std::uint64_t row, std::uint64_t cols) {
    const std::uint64_t from = random_() % row;
    for (std::uint64_t j = 0; j < cols; ++j) made[row * cols + j] = made[from * cols + j];
  }

  bool chance(double probability) { return uniform_(random_) < probability; }

  const SketchShape& shape_;
  Flaw flaw_;
  std::mt19937_64 random_;
  std::array<float, 64> outliers_ = {};
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

NeuronRows made_rows(std::size_t count, std::size_t dimensions, Flaw flaw, std::uint64_t seed) {
  const SketchShape shape;
  return Maker(shape, flaw, seed).rows(count, dimensions);
}

void draw_experts(SketchShape& one, SketchShape& other, std::uint64_t seed) {
  std::mt19937_64 random(seed ^ 0x6D6F65U);
  if (random() % 3 != 0) return;
  one.experts = 2 + static_cast<int>(random() % 3);
  other.experts = random() % 2 == 0 ? 0 : 2 + static_cast<int>(random() % 3);
  for (SketchShape* shape : {&one, &other}) shape->experts_are_copies = random() % 2 == 0;
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
