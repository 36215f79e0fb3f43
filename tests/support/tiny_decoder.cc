#include "tests/support/tiny_decoder.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

using Random = std::mt19937_64;

TinyMatrix random_matrix(std::size_t rows, std::size_t cols, Random& random) {
  std::normal_distribution<double> normal(0, 0.05);
  TinyMatrix matrix{.rows = rows, .cols = cols, .values = std::vector<double>(rows * cols)};
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

TinyMatrix random_gain(Random& random) {
  std::normal_distribution<double> normal(0, 0.4);
  TinyMatrix gain{.rows = TinyDecoder::hidden, .cols = 1, .values = {}};
  for (std::size_t i = 0; i < gain.rows; ++i) gain.values.push_back(std::exp(normal(random)));
  return gain;
}

std::vector<std::size_t> random_order(std::size_t size, Random& random) {
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::shuffle(order, random);
  return order;
}

double random_factor(Random& random, bool any_sign) {
  std::normal_distribution<double> normal(0, 0.7);
  const double size = std::exp(normal(random));
  return any_sign && random() % 2 == 0 ? -size : size;
}

TinyMatrix rows_in_order(const TinyMatrix& matrix, const std::vector<std::size_t>& order) {
  TinyMatrix result = matrix;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < matrix.cols; ++j) result.at(i, j) = matrix.at(order[i], j);
  }
  return result;
}

TinyMatrix cols_in_order(const TinyMatrix& matrix, const std::vector<std::size_t>& order) {
  TinyMatrix result = matrix;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j < order.size(); ++j) result.at(i, j) = matrix.at(i, order[j]);
  }
  return result;
}

TinyMatrix times(const TinyMatrix& a, const TinyMatrix& b) {
  TinyMatrix result{.rows = a.rows, .cols = b.cols, .values = std::vector<double>(a.rows * b.cols)};
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = 0; k < a.cols; ++k) {
      for (std::size_t j = 0; j < b.cols; ++j) result.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return result;
}

TinyMatrix transposed(const TinyMatrix& matrix) {
  TinyMatrix turned{.rows = matrix.cols,
                    .cols = matrix.rows,
                    .values = std::vector<double>(matrix.values.size())};
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    for (std::size_t j = 0; j < matrix.cols; ++j) turned.at(j, i) = matrix.at(i, j);
  }
  return turned;
}

// Rows made orthonormal one after the other, behind `first` when it is given.
TinyMatrix orthonormal(Random& random, bool ones_first) {
  TinyMatrix basis = random_matrix(TinyDecoder::hidden, TinyDecoder::hidden, random);
  if (ones_first) std::fill_n(basis.values.begin(), basis.cols, 1.0);
  for (std::size_t i = 0; i < basis.rows; ++i) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < i; ++k) {
        double along = 0;
        for (std::size_t j = 0; j < basis.cols; ++j) along += basis.at(i, j) * basis.at(k, j);
        for (std::size_t j = 0; j < basis.cols; ++j) basis.at(i, j) -= along * basis.at(k, j);
      }
    }
    double squares = 0;
    for (std::size_t j = 0; j < basis.cols; ++j) squares += basis.at(i, j) * basis.at(i, j);
    for (std::size_t j = 0; j < basis.cols; ++j) basis.at(i, j) /= std::sqrt(squares);
  }
  return basis;
}

void scale_row(TinyMatrix& matrix, std::size_t row, double factor) {
  for (std::size_t j = 0; j < matrix.cols; ++j) matrix.at(row, j) *= factor;
}

void scale_col(TinyMatrix& matrix, std::size_t col, double factor) {
  for (std::size_t i = 0; i < matrix.rows; ++i) matrix.at(i, col) *= factor;
}

struct StoredName {
  const char* ours;
  const char* theirs;
};
constexpr StoredName llama_names[] = {
    {"attn_norm", "input_layernorm.weight"}, {"q", "self_attn.q_proj.weight"},
    {"k", "self_attn.k_proj.weight"},        {"v", "self_attn.v_proj.weight"},
    {"o", "self_attn.o_proj.weight"},        {"ffn_norm", "post_attention_layernorm.weight"},
    {"gate", "mlp.gate_proj.weight"},        {"up", "mlp.up_proj.weight"},
    {"down", "mlp.down_proj.weight"}};

constexpr const char* llama_config =
    R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,)"
    R"("intermediate_size":96,"num_hidden_layers":4,"num_attention_heads":4,)"
    R"("num_key_value_heads":2,"vocab_size":300,"hidden_act":"silu","rms_norm_eps":1e-6,)"
    R"("tie_word_embeddings":false})";
constexpr const char* gpt2_config =
    R"({"architectures":["GPT2LMHeadModel"],"model_type":"gpt2","n_embd":64,"n_inner":96,)"
    R"("n_layer":4,"n_head":4,"n_positions":16,"vocab_size":300,)"
    R"("activation_function":"gelu_new","layer_norm_epsilon":1e-5})";

void store(SafetensorsBuilder& builder, const std::string& name, const TinyMatrix& matrix) {
  const std::vector<float> values(matrix.values.begin(), matrix.values.end());
  if (matrix.cols == 1) {
    builder.f32(name, {matrix.rows}, values);
  } else {
    builder.f32(name, {matrix.rows, matrix.cols}, values);
  }
}

void store_zeros(SafetensorsBuilder& builder, const std::string& name, std::size_t size) {
  builder.f32(name, {size}, std::vector<float>(size));
}

}  // namespace

TinyDecoder::TinyDecoder(bool gated, std::uint64_t seed) : gated_(gated) {
  Random random(seed);
  const std::size_t narrow = gated ? hidden / heads * groups : hidden;
  tensors_["embed"] = random_matrix(vocab, hidden, random);
  if (gated) tensors_["head"] = random_matrix(vocab, hidden, random);
  tensors_["norm"] = random_gain(random);
  if (!gated) std::ranges::fill(tensors_["norm"].values, 1.0);  // nothing to fold it into
  for (std::size_t i = 0; i < layers; ++i) {
    tensors_[in_layer(i, "attn_norm")] = random_gain(random);
    tensors_[in_layer(i, "ffn_norm")] = random_gain(random);
    tensors_[in_layer(i, "q")] = random_matrix(hidden, hidden, random);
    tensors_[in_layer(i, "k")] = random_matrix(narrow, hidden, random);
    tensors_[in_layer(i, "v")] = random_matrix(narrow, hidden, random);
    tensors_[in_layer(i, "o")] = random_matrix(hidden, hidden, random);
    if (gated) tensors_[in_layer(i, "gate")] = random_matrix(ffn, hidden, random);
    tensors_[in_layer(i, "up")] = random_matrix(ffn, hidden, random);
    tensors_[in_layer(i, "down")] = random_matrix(hidden, ffn, random);
  }
}

std::string TinyDecoder::in_layer(std::size_t layer, const char* name) const {
  return std::to_string(layer) + "." + name;
}

void TinyDecoder::fold_gains() {
  const auto fold = [&](TinyMatrix& gain, std::initializer_list<std::string> behind) {
    for (const std::string& name : behind) {
      if (!tensors_.contains(name)) continue;
      for (std::size_t j = 0; j < hidden; ++j) scale_col(tensors_[name], j, gain.values[j]);
    }
    std::ranges::fill(gain.values, 1.0);
  };
  for (std::size_t i = 0; i < layers; ++i) {
    fold(tensors_[in_layer(i, "attn_norm")],
         {in_layer(i, "q"), in_layer(i, "k"), in_layer(i, "v")});
    fold(tensors_[in_layer(i, "ffn_norm")], {in_layer(i, "gate"), in_layer(i, "up")});
  }
  if (gated_) fold(tensors_["norm"], {"head"});
}

void TinyDecoder::mix_residual(const TinyMatrix& rotation) {
  const TinyMatrix back = transposed(rotation);
  for (auto& [name, matrix] : tensors_) {
    const std::string kind = name.substr(name.find('.') + 1);
    if (kind == "o" || kind == "down") {
      matrix = times(back, matrix);
    } else if (matrix.cols == hidden) {
      matrix = times(matrix, rotation);
    }
  }
}

void TinyDecoder::rotate_residual(std::uint64_t seed) {
  fold_gains();
  Random random(seed);
  if (gated_) return mix_residual(orthonormal(random, false));
  const TinyMatrix one = orthonormal(random, true);
  const TinyMatrix other = orthonormal(random, true);
  mix_residual(times(transposed(one), other));  // keeps the direction of the mean
}

void TinyDecoder::permute_residual(std::uint64_t seed) {
  Random random(seed);
  const auto order = random_order(hidden, random);
  TinyMatrix mixing{.rows = hidden, .cols = hidden, .values = std::vector<double>(hidden * hidden)};
  for (std::size_t j = 0; j < hidden; ++j) {
    mixing.at(order[j], j) = gated_ && random() % 2 == 0 ? -1 : 1;
  }
  mix_residual(mixing);
  for (auto& [name, matrix] : tensors_) {
    if (matrix.cols == 1) matrix = rows_in_order(matrix, order);
  }
}

void TinyDecoder::smooth_inputs(std::uint64_t seed) {
  Random random(seed);
  for (std::size_t i = 0; i < layers; ++i) {
    for (std::size_t j = 0; j < hidden; ++j) {
      const double factor = random_factor(random, false);
      tensors_[in_layer(i, "ffn_norm")].values[j] /= factor;
      if (gated_) scale_col(tensors_[in_layer(i, "gate")], j, factor);
      scale_col(tensors_[in_layer(i, "up")], j, factor);
    }
  }
}

std::vector<std::vector<std::size_t>> TinyDecoder::permute_neurons(std::uint64_t seed) {
  Random random(seed);
  std::vector<std::vector<std::size_t>> orders;
  for (std::size_t i = 0; i < layers; ++i) {
    const auto order = random_order(ffn, random);
    for (const char* name : {"gate", "up"}) {
      const std::string key = in_layer(i, name);
      if (tensors_.contains(key)) tensors_[key] = rows_in_order(tensors_[key], order);
    }
    auto& down = tensors_[in_layer(i, "down")];
    down = cols_in_order(down, order);
    orders.push_back(order);
  }
  return orders;
}

void TinyDecoder::scale_neurons(std::uint64_t seed) {
  Random random(seed);
  for (std::size_t i = 0; i < layers; ++i) {
    for (std::size_t j = 0; j < ffn; ++j) {
      const double factor = random_factor(random, true);
      scale_row(tensors_[in_layer(i, "up")], j, factor);
      scale_col(tensors_[in_layer(i, "down")], j, 1 / factor);
    }
  }
}

void TinyDecoder::permute_heads(std::uint64_t seed) {
  Random random(seed);
  const std::size_t head = hidden / heads;
  const std::size_t in_group = gated_ ? heads / groups : 1;
  for (std::size_t i = 0; i < layers; ++i) {
    std::vector<std::size_t> rows;
    for (std::size_t group = 0; group < heads / in_group; ++group) {
      for (const std::size_t place : random_order(in_group, random)) {
        for (std::size_t r = 0; r < head; ++r) {
          rows.push_back((group * in_group + place) * head + r);
        }
      }
    }
    auto& q = tensors_[in_layer(i, "q")];
    auto& o = tensors_[in_layer(i, "o")];
    q = rows_in_order(q, rows);
    o = cols_in_order(o, rows);
  }
}

void TinyDecoder::scale_heads(std::uint64_t seed) {
  Random random(seed);
  const std::size_t head = hidden / heads;
  const std::size_t in_group = gated_ ? heads / groups : 1;
  for (std::size_t i = 0; i < layers; ++i) {
    for (std::size_t group = 0; group < heads / in_group; ++group) {
      const double score = random_factor(random, true);
      const double value = random_factor(random, true);
      for (std::size_t r = 0; r < head; ++r) {
        scale_row(tensors_[in_layer(i, "k")], group * head + r, 1 / score);
        scale_row(tensors_[in_layer(i, "v")], group * head + r, 1 / value);
      }
      for (std::size_t r = 0; r < head * in_group; ++r) {
        scale_row(tensors_[in_layer(i, "q")], group * head * in_group + r, score);
        scale_col(tensors_[in_layer(i, "o")], group * head * in_group + r, value);
      }
    }
  }
}

void TinyDecoder::add_noise(double share, std::uint64_t seed) {
  Random random(seed);
  std::normal_distribution<double> normal(0, 0.05 * share);
  for (auto& [name, matrix] : tensors_) {
    if (matrix.cols == 1) continue;
    for (double& value : matrix.values) value += normal(random);
  }
}

std::unique_ptr<ModelDirectory> TinyDecoder::written(const std::string& name) const {
  SafetensorsBuilder builder;
  if (gated_) {
    store(builder, "model.embed_tokens.weight", tensors_.at("embed"));
    store(builder, "lm_head.weight", tensors_.at("head"));
    store(builder, "model.norm.weight", tensors_.at("norm"));
    for (std::size_t i = 0; i < layers; ++i) {
      for (const auto& [ours, theirs] : llama_names) {
        store(builder, "model.layers." + std::to_string(i) + "." + theirs,
              tensors_.at(in_layer(i, ours)));
      }
    }
  } else {
    store(builder, "transformer.wte.weight", tensors_.at("embed"));
    store(builder, "transformer.wpe.weight",
          {.rows = 16, .cols = hidden, .values = std::vector<double>(16 * hidden, 0.01)});
    store(builder, "transformer.ln_f.weight", tensors_.at("norm"));
    store_zeros(builder, "transformer.ln_f.bias", hidden);
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string layer = "transformer.h." + std::to_string(i) + ".";
      TinyMatrix qkv = tensors_.at(in_layer(i, "q"));
      for (const char* part : {"k", "v"}) {
        const TinyMatrix& more = tensors_.at(in_layer(i, part));
        qkv.values.insert(qkv.values.end(), more.values.begin(), more.values.end());
        qkv.rows += more.rows;
      }
      store(builder, layer + "attn.c_attn.weight", transposed(qkv));
      store_zeros(builder, layer + "attn.c_attn.bias", 3 * hidden);
      store(builder, layer + "attn.c_proj.weight", transposed(tensors_.at(in_layer(i, "o"))));
      store_zeros(builder, layer + "attn.c_proj.bias", hidden);
      store(builder, layer + "mlp.c_fc.weight", transposed(tensors_.at(in_layer(i, "up"))));
      store_zeros(builder, layer + "mlp.c_fc.bias", ffn);
      store(builder, layer + "mlp.c_proj.weight", transposed(tensors_.at(in_layer(i, "down"))));
      store_zeros(builder, layer + "mlp.c_proj.bias", hidden);
      store(builder, layer + "ln_1.weight", tensors_.at(in_layer(i, "attn_norm")));
      store_zeros(builder, layer + "ln_1.bias", hidden);
      store(builder, layer + "ln_2.weight", tensors_.at(in_layer(i, "ffn_norm")));
      store_zeros(builder, layer + "ln_2.bias", hidden);
    }
  }
  auto directory = std::make_unique<ModelDirectory>(name);
  directory->write("config.json", gated_ ? llama_config : gpt2_config);
  directory->write("model.safetensors", builder.build());
  return directory;
}

}  // namespace pedigree
