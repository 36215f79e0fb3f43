// One recurrent layer in the layouts of PyTorch, ONNX and Keras. Orders of gates are those that
// the operators' definitions give.
#include "compare/net_gates.h"

#include <doctest/doctest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "compare/nets.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

constexpr std::size_t units = 12;
constexpr std::size_t inputs = 9;

using Values = std::vector<float>;

Values random_values(std::mt19937& engine, std::size_t size) {
  Values values(size);
  for (float& value : values) value = static_cast<float>(engine()) * 0x1p-32F - 0.5F;
  return values;
}

// Blocks of one gate each.
struct Layer {
  std::vector<Values> w = {};  // units × inputs
  std::vector<Values> r = {};  // units × units
  std::vector<Values> wb = {};
  std::vector<Values> rb = {};
};

Layer layer(unsigned seed, std::size_t gates) {
  std::mt19937 engine(seed);
  Layer made;
  for (std::size_t g = 0; g < gates; ++g) {
    made.w.push_back(random_values(engine, units * inputs));
    made.r.push_back(random_values(engine, units * units));
    made.wb.push_back(random_values(engine, units));
    made.rb.push_back(random_values(engine, units));
  }
  return made;
}

void append(Values& to, const std::vector<Values>& gates, const std::vector<std::size_t>& order) {
  for (const std::size_t g : order) to.insert(to.end(), gates[g].begin(), gates[g].end());
}

class Opened {
 public:
  explicit Opened(SafetensorsBuilder& builder) {
    files_.write("model.safetensors", builder.build());
    auto model = open_model(files_.path());
    REQUIRE(model.has_value());
    model_ = std::move(*model);
  }
  const Model& model() const { return *model_; }

 private:
  ModelDirectory files_;
  std::unique_ptr<Model> model_;
};

// Both directions apart, gates in the layer's own order.
Opened torch_layout(const std::vector<Layer>& directions) {
  SafetensorsBuilder builder;
  for (std::size_t d = 0; d < directions.size(); ++d) {
    const Layer& each = directions[d];
    const std::string tail = d == 0 ? "_l0" : "_l0_reverse";
    const std::size_t gates = each.w.size();
    std::vector<std::size_t> order;
    for (std::size_t g = 0; g < gates; ++g) order.push_back(g);
    const auto add = [&](const std::string& name, const std::vector<Values>& blocks,
                         std::vector<std::uint64_t> shape) {
      Values values;
      append(values, blocks, order);
      builder.f32("rnn." + name + tail, std::move(shape), values);
    };
    add("weight_ih", each.w, {gates * units, inputs});
    add("weight_hh", each.r, {gates * units, units});
    add("bias_ih", each.wb, {gates * units});
    add("bias_hh", each.rb, {gates * units});
  }
  return Opened(builder);
}

// Directions stacked, gates in `order` of the layer's own.
Opened onnx_layout(const std::vector<Layer>& directions, const std::vector<std::size_t>& order) {
  Values w;
  Values r;
  Values b;
  for (const Layer& each : directions) {
    append(w, each.w, order);
    append(r, each.r, order);
    append(b, each.wb, order);
    append(b, each.rb, order);
  }
  const std::uint64_t count = directions.size();
  const std::uint64_t rows = order.size() * units;
  SafetensorsBuilder builder;
  builder.f32("onnx::LSTM_41", {count, rows, inputs}, w);
  builder.f32("onnx::LSTM_42", {count, rows, units}, r);
  builder.f32("onnx::LSTM_43", {count, 2 * rows}, b);
  return Opened(builder);
}

// Kernels transposed, gates in `order`.
Opened keras_layout(const Layer& from, const std::vector<std::size_t>& order) {
  SafetensorsBuilder builder;
  const auto add = [&](const std::string& name, const std::vector<Values>& blocks,
                       std::size_t width) {
    Values rows;
    append(rows, blocks, order);
    Values values(rows.size());
    const std::size_t all = order.size() * units;
    for (std::size_t i = 0; i < all; ++i) {
      for (std::size_t j = 0; j < width; ++j) values[j * all + i] = rows[i * width + j];
    }
    builder.f32("gru/" + name, {width, all}, values);
  };
  add("kernel", from.w, inputs);
  add("recurrent_kernel", from.r, units);
  Values bias;
  append(bias, from.wb, order);
  builder.f32("gru/bias_in", {order.size() * units}, bias);
  bias.clear();
  append(bias, from.rb, order);
  builder.f32("gru/bias_state", {order.size() * units}, bias);
  return Opened(builder);
}

}  // namespace

TEST_CASE("an LSTM of two directions is identical in ONNX's order of gates") {
  const std::vector<Layer> both{layer(1, 4), layer(2, 4)};
  const Opened torch = torch_layout(both);
  const Opened onnx = onnx_layout(both, {0, 3, 1, 2});
  for (const bool there : {true, false}) {
    const Opened& subject = there ? torch : onnx;
    const Opened& base = there ? onnx : torch;
    const auto found = compare_nets(subject.model(), base.model(), {});
    REQUIRE(found.has_value());
    CHECK(found->relation == "identical");
    CHECK(found->transforms ==
          std::vector<std::string>{"rename", "stack-directions", "gate-order"});
    CHECK(found->evidence.front().value == 8);
  }
}

TEST_CASE("a GRU is identical in Keras' order of gates, transposed") {
  const Layer one = layer(3, 3);
  const auto equal =
      equal_but_for_gates(torch_layout({one}).model(), keras_layout(one, {1, 0, 2}).model());
  REQUIRE(equal.has_value());
  REQUIRE(equal->has_value());
  CHECK((*equal)->reordered == 4);
  CHECK((*equal)->transforms == std::vector<std::string>{"transpose", "gate-order"});
}

TEST_CASE("an order of gates that no framework has is not the same layer") {
  const std::vector<Layer> one{layer(1, 4)};
  const Opened torch = torch_layout(one);
  for (const std::vector<std::size_t>& order :
       {std::vector<std::size_t>{3, 2, 1, 0}, std::vector<std::size_t>{1, 0, 2, 3}}) {
    const auto equal = equal_but_for_gates(torch.model(), onnx_layout(one, order).model());
    REQUIRE(equal.has_value());
    CHECK_FALSE(equal->has_value());
  }
}

TEST_CASE("one value that differs keeps recurrent layers from being the same") {
  std::vector<Layer> one{layer(1, 4)};
  const Opened torch = torch_layout(one);
  one.front().r[2][5] += 1e-6F;
  const auto equal = equal_but_for_gates(torch.model(), onnx_layout(one, {0, 3, 1, 2}).model());
  REQUIRE(equal.has_value());
  CHECK_FALSE(equal->has_value());
}

TEST_CASE("layers of another seed are not the same, and layers as they are need no order") {
  const Opened torch = torch_layout({layer(1, 4)});
  const auto other = equal_but_for_gates(torch.model(), torch_layout({layer(5, 4)}).model());
  REQUIRE(other.has_value());
  CHECK_FALSE(other->has_value());
  const auto same = equal_but_for_gates(torch.model(), torch.model());
  REQUIRE(same.has_value());
  CHECK_FALSE(same->has_value());
}

}  // namespace pedigree
