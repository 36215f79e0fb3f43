// Weights that an exporter renamed and transposed get their roles back by the operators
// that read them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/model.h"
#include "model/weights.h"
#include "tests/support/model_directory.h"
#include "tests/support/onnx_builder.h"

namespace pedigree {
namespace {

using namespace made_onnx;

// Value of row `out` and column `in` of the module's own matrix.
float value_at(std::uint64_t out, std::uint64_t in) { return static_cast<float>(100 * out + in); }

std::string path_of(std::string_view module) {
  std::string path = "/" + std::string(module);
  std::ranges::replace(path, '.', '/');
  for (const std::string_view list : {"layers/", "h/"}) {
    const std::size_t at = path.find("/" + std::string(list));
    if (at != std::string::npos) path[at + list.size()] = '.';
  }
  return path;
}

class Exported {
 public:
  // A linear layer of [rows, cols], stored the other way round under a name made up.
  void folded(const std::string& module, std::uint64_t rows, std::uint64_t cols) {
    const std::string name = "onnx::MatMul_" + std::to_string(++count_);
    add(name, {cols, rows}, [](std::uint64_t in, std::uint64_t out) { return value_at(out, in); });
    parts_.nodes.push_back(node("MatMul", {"x", name}, {}, path_of(module) + "/MatMul"));
  }

  // A matrix that its own code keeps as [in, out]: GPT-2's Conv1D.
  void kept(const std::string& module, std::uint64_t rows, std::uint64_t cols) {
    add(module + ".weight", {cols, rows},
        [](std::uint64_t in, std::uint64_t out) { return value_at(out, in); });
    parts_.nodes.push_back(node("Gemm", {"x", module + ".weight"}, {}, path_of(module) + "/Gemm"));
  }

  void table(const std::string& module, std::uint64_t rows, std::uint64_t cols) {
    add(module + ".weight", {rows, cols}, value_at);
    parts_.nodes.push_back(
        node("Gather", {module + ".weight", "ids"}, {}, path_of(module) + "/Gather"));
  }

  void vector(const std::string& name, std::uint64_t size) { add(name, {1, size}, value_at, 1); }

  std::string content() const { return model(parts_); }

 private:
  using Value = float (*)(std::uint64_t row, std::uint64_t col);

  void add(const std::string& name, std::pair<std::uint64_t, std::uint64_t> shape, Value value,
           int rank = 2) {
    std::vector<float> values;
    values.reserve(shape.first * shape.second);
    for (std::uint64_t row = 0; row < shape.first; ++row) {
      for (std::uint64_t col = 0; col < shape.second; ++col) values.push_back(value(row, col));
    }
    std::vector<std::int64_t> dims = {static_cast<std::int64_t>(shape.second)};
    if (rank == 2) dims.insert(dims.begin(), static_cast<std::int64_t>(shape.first));
    parts_.tensors.push_back(tensor(name, dims, 1, raw_floats(values)));
  }

  Graph parts_;
  int count_ = 0;
};

std::string exported_llama() {
  constexpr std::uint64_t hidden = 8;
  constexpr std::uint64_t kv = 4;
  constexpr std::uint64_t ffn = 12;
  Exported graph;
  graph.table("model.embed_tokens", 16, hidden);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    graph.folded(at + "self_attn.q_proj", hidden, hidden);
    graph.folded(at + "self_attn.k_proj", kv, hidden);
    graph.folded(at + "self_attn.v_proj", kv, hidden);
    graph.folded(at + "self_attn.o_proj", hidden, hidden);
    graph.folded(at + "mlp.gate_proj", ffn, hidden);
    graph.folded(at + "mlp.up_proj", ffn, hidden);
    graph.folded(at + "mlp.down_proj", hidden, ffn);
    graph.vector(at + "input_layernorm.weight", hidden);
    graph.vector(at + "post_attention_layernorm.weight", hidden);
  }
  graph.vector("model.norm.weight", hidden);
  graph.folded("lm_head", 16, hidden);
  return graph.content();
}

std::string exported_gpt2() {
  constexpr std::uint64_t hidden = 8;
  Exported graph;
  graph.table("transformer.wte", 16, hidden);
  graph.table("transformer.wpe", 10, hidden);
  for (int layer = 0; layer < 2; ++layer) {
    const std::string at = "transformer.h." + std::to_string(layer) + ".";
    graph.kept(at + "attn.c_attn", 3 * hidden, hidden);
    graph.kept(at + "attn.c_proj", hidden, hidden);
    graph.kept(at + "mlp.c_fc", 4 * hidden, hidden);
    graph.kept(at + "mlp.c_proj", hidden, 4 * hidden);
    for (const std::string_view norm : {"ln_1", "ln_2"}) {
      graph.vector(at + std::string(norm) + ".weight", hidden);
      graph.vector(at + std::string(norm) + ".bias", hidden);
    }
  }
  graph.vector("transformer.ln_f.weight", hidden);
  graph.vector("transformer.ln_f.bias", hidden);
  return graph.content();
}

std::unique_ptr<Model> opened(const std::string& content) {
  ModelDirectory directory;
  directory.write("model.onnx", content);
  auto model = open_model(directory.path());
  REQUIRE(model.has_value());
  return std::move(*model);
}

void check_values(const Model& model, const CanonicalTensor& tensor, std::uint64_t first_row) {
  const auto values = read_all(model, tensor);
  REQUIRE(values.has_value());
  for (std::uint64_t row = 0; row < tensor.rows; ++row) {
    for (std::uint64_t col = 0; col < tensor.cols; ++col) {
      if ((*values)[row * tensor.cols + col] == value_at(first_row + row, col)) continue;
      FAIL_CHECK(tensor.role, " row ", row, " column ", col);
    }
  }
}

}  // namespace

TEST_CASE("renamed and transposed weights get their modules' roles, as [out, in]") {
  const auto model = opened(exported_llama());
  CHECK(model->architecture.family == "llama");
  const CanonicalTensor* up = model->find("ffn.up", 1);
  REQUIRE(up != nullptr);
  CHECK(up->rows == 12);
  CHECK(up->cols == 8);
  CHECK(up->transposed);
  CHECK(up->transforms == std::vector<std::string>{"transpose"});
  CHECK(model->tensors[up->tensor].entry.name.starts_with("onnx::MatMul_"));
  CHECK(model->tensors[up->tensor].entry.shape == std::vector<std::uint64_t>{8, 12});
  for (const std::string_view role : {"attn.q", "attn.k", "attn.o", "ffn.down"}) {
    REQUIRE(model->find(role, 0) != nullptr);
    check_values(*model, *model->find(role, 0), 0);
  }
  REQUIRE(model->find("embed.tokens") != nullptr);
  CHECK(model->find("embed.tokens")->is_plain());
}

TEST_CASE("square matrices are turned by what reads them, where shapes cannot tell") {
  const auto model = opened(exported_llama());
  const CanonicalTensor* q = model->find("attn.q", 0);
  REQUIRE(q != nullptr);
  CHECK(q->rows == q->cols);
  CHECK(q->transposed);
}

TEST_CASE("a family whose own files are transposed is transposed once, fused parts included") {
  const auto model = opened(exported_gpt2());
  CHECK(model->architecture.family == "gpt2");
  const CanonicalTensor* v = model->find("attn.v", 1);
  REQUIRE(v != nullptr);
  CHECK(v->rows == 8);
  CHECK(v->cols == 8);
  CHECK(v->first_row == 16);
  CHECK(v->transposed);
  check_values(*model, *v, 16);
  check_values(*model, *model->find("ffn.down", 0), 0);
}

}  // namespace pedigree
