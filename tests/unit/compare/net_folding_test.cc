// Nets whose batch norms or weight norms the other side has multiplied into its kernels.
#include "compare/net_folding.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>

#include "compare/nets.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

struct Tensor {
  std::vector<std::uint64_t> shape = {};
  std::vector<float> values = {};
};
using Net = std::map<std::string, Tensor>;

// The sum of twelve uniform numbers, the same on every machine.
class Bell {
 public:
  explicit Bell(unsigned seed) : engine_(seed) {}
  float next() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<float>(engine_() >> 8U) * 0x1p-24F;
    return sum;
  }
  Tensor tensor(std::vector<std::uint64_t> shape, float centre, float deviation) {
    std::uint64_t size = 1;
    for (const std::uint64_t each : shape) size *= each;
    Tensor made = {.shape = std::move(shape), .values = std::vector<float>(size)};
    for (float& value : made.values) value = centre + deviation * next();
    return made;
  }

 private:
  std::mt19937 engine_;
};

struct Unit {
  std::string kernel = {};
  std::string norm = {};
  std::vector<std::uint64_t> shape = {};
  std::size_t axis = 0;  // of outputs
};

// A convolution, a depthwise one, two of one shape, a transposed one, a dense layer.
const std::vector<Unit> units = {{"stem.0", "stem.1", {24, 3, 3, 3}},
                                 {"deep.conv", "deep.bn", {24, 1, 3, 3}},
                                 {"mid.conv1", "mid.bn1", {32, 24, 3, 3}},
                                 {"mid.conv2", "mid.bn2", {32, 32, 3, 3}},
                                 {"mid.conv3", "mid.bn3", {32, 32, 3, 3}},
                                 {"up.conv", "up.bn", {32, 20, 4, 4}, 1},
                                 {"out.fc", "out.bn", {48, 20}}};

Net net(unsigned seed, bool with_biases = true) {
  Bell bell(seed);
  Net made;
  for (const Unit& unit : units) {
    const std::uint64_t outputs = unit.shape[unit.axis];
    made[unit.kernel + ".weight"] = bell.tensor(unit.shape, 0, 0.1F);
    if (with_biases) made[unit.kernel + ".bias"] = bell.tensor({outputs}, 0, 0.1F);
    made[unit.norm + ".weight"] = bell.tensor({outputs}, 1, 0.2F);
    made[unit.norm + ".bias"] = bell.tensor({outputs}, 0, 0.2F);
    made[unit.norm + ".running_mean"] = bell.tensor({outputs}, 0, 0.5F);
    made[unit.norm + ".running_var"] = bell.tensor({outputs}, 1.5F, 0.2F);
  }
  made["classes.weight"] = bell.tensor({10, 48}, 0, 0.1F);
  return made;
}

// As torch/csrc/jit/passes/onnx/eval_peephole.cpp folds, in F32, under numbers for names.
Net folded(const Net& net, float epsilon = 1e-5F) {
  Net made = {{"classes.weight", net.at("classes.weight")}};
  int number = 90;  // so that the order of names is not that of layers
  for (const Unit& unit : units) {
    Tensor kernel = net.at(unit.kernel + ".weight");
    const std::uint64_t outputs = unit.shape[unit.axis];
    std::uint64_t run = 1;
    for (std::size_t i = unit.axis + 1; i < unit.shape.size(); ++i) run *= unit.shape[i];
    const auto bias = net.find(unit.kernel + ".bias");
    Tensor biases = {.shape = {outputs}, .values = std::vector<float>(outputs)};
    std::vector<float> scales(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
      scales[o] = net.at(unit.norm + ".weight").values[o] /
                  std::sqrt(net.at(unit.norm + ".running_var").values[o] + epsilon);
      const float own = bias == net.end() ? 0 : bias->second.values[o];
      biases.values[o] = (own - net.at(unit.norm + ".running_mean").values[o]) * scales[o] +
                         net.at(unit.norm + ".bias").values[o];
    }
    for (std::size_t i = 0; i < kernel.values.size(); ++i) {
      kernel.values[i] *= scales[i / run % outputs];
    }
    made["onnx::Conv_" + std::to_string(number++)] = std::move(kernel);
    made["onnx::Conv_" + std::to_string(number++)] = std::move(biases);
  }
  return made;
}

class Opened {
 public:
  explicit Opened(const Net& net) {
    SafetensorsBuilder builder;
    for (const auto& [name, tensor] : net) builder.f32(name, tensor.shape, tensor.values);
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

NetFindings compared(const Net& subject, const Net& base) {
  const Opened mine(subject);
  const Opened theirs(base);
  auto found = compare_nets(mine.model(), theirs.model(), {});
  REQUIRE(found.has_value());
  return std::move(*found);
}

bool names(const NetFindings& found, std::string_view transform) {
  return std::ranges::find(found.transforms, transform) != found.transforms.end();
}

TEST_CASE("a net and its export with folded norms are identical, either way round") {
  for (const bool with_biases : {true, false}) {
    CAPTURE(with_biases);
    const Net plain = net(1, with_biases);
    for (const bool turned : {false, true}) {
      const NetFindings found =
          turned ? compared(folded(plain), plain) : compared(plain, folded(plain));
      CHECK(found.relation == "identical");
      CHECK(found.derived == "yes");
      CHECK(found.coverage == 1);
      CHECK(names(found, "bn-fold"));
      CHECK(names(found, "rename"));
      CHECK(found.evidence.front().because.contains("7 of them were computed"));
    }
  }
}

TEST_CASE("the small number under the root is found among those in use") {
  for (const float epsilon : {1e-3F, 1e-2F, 0.0F}) {
    CAPTURE(epsilon);
    const NetFindings found = compared(folded(net(1), epsilon), net(1));
    CHECK(found.relation == "identical");
  }
  CHECK(compared(folded(net(1), 0.3F), net(1)).relation != "identical");
}

TEST_CASE("strangers of one architecture have nothing folded") {
  for (unsigned seed = 2; seed < 22; ++seed) {
    const Net stranger = net(seed);
    const NetFindings found = compared(folded(stranger), net(1));
    CHECK(found.relation.empty());
    CHECK(found.transforms.empty());
  }
}

TEST_CASE("kernels of one net behind another's norms are not taken for its own") {
  Net mixed = net(1);
  for (const auto& [name, tensor] : net(2)) {
    const bool of_norm = name.contains("running") || name.contains(".bn");
    if (of_norm) mixed[name] = tensor;
  }
  const Opened mine(folded(mixed));
  const Opened theirs(net(1));
  const auto nets = computed_nets(mine.model(), theirs.model());
  REQUIRE(nets.has_value());
  CHECK(nets->pairs.size() <= 2);  // of the one norm whose name is not ".bn"
}

TEST_CASE("a net whose export was trained on keeps what was folded apart from what was not") {
  Net child = folded(net(1));
  Bell bell(7);
  for (float& value : child["onnx::Conv_90"].values) value += 0.01F * bell.next();
  const NetFindings found = compared(child, net(1));
  CHECK(found.derived == "yes");
  CHECK(found.relation != "identical");
  CHECK(names(found, "bn-fold"));
}

TEST_CASE("norms that both sides have stay as they are") {
  const Opened mine(net(1));
  const Opened theirs(net(1));
  const auto nets = computed_nets(mine.model(), theirs.model());
  REQUIRE(nets.has_value());
  CHECK(nets->subject == nullptr);
  CHECK(nets->base == nullptr);
  CHECK(compared(net(1), net(1)).relation == "identical");
  CHECK(compared(net(1), net(1)).transforms.empty());
}

TEST_CASE("variances and kernels of no numbers are no match") {
  Net plain = net(1);
  for (const Unit& unit : units) {
    for (float& value : plain[unit.norm + ".running_var"].values) value = -1;
  }
  const NetFindings found = compared(folded(net(1)), plain);
  CHECK(found.relation != "identical");
  Net broken = net(1);
  for (const Unit& unit : units) broken[unit.kernel + ".weight"].values.front() = std::nanf("");
  CHECK(compared(folded(net(1)), broken).relation != "identical");
}

// Every kernel as directions and lengths; what they make is only rounded alike.
Net weight_normed(const Net& net) {
  Net made;
  for (const auto& [name, tensor] : net) {
    if (!name.ends_with(".weight") || tensor.shape.size() < 2) {
      made[name] = tensor;
      continue;
    }
    Tensor v = tensor;
    std::vector<std::uint64_t> shape(tensor.shape.size(), 1);
    shape[0] = tensor.shape[0];
    Tensor g = {.shape = shape, .values = std::vector<float>(shape[0])};
    const std::size_t width = v.values.size() / shape[0];
    for (std::size_t o = 0; o < shape[0]; ++o) {
      double sum = 0;
      for (std::size_t i = 0; i < width; ++i) {
        float& value = v.values[o * width + i];
        sum += static_cast<double>(value) * static_cast<double>(value);
        value *= 1 + static_cast<float>(o % 5);  // of another length than what it stands for
      }
      g.values[o] = static_cast<float>(std::sqrt(sum));
    }
    made[name + "_v"] = std::move(v);
    made[name + "_g"] = std::move(g);
  }
  return made;
}

TEST_CASE("a net with weight norms is the one it makes, and no other") {
  const Net plain = net(3);
  for (const bool turned : {false, true}) {
    const NetFindings found =
        turned ? compared(weight_normed(plain), plain) : compared(plain, weight_normed(plain));
    CHECK(found.relation == "identical");
    CHECK(names(found, "weight-norm"));
  }
  CHECK(compared(weight_normed(plain), net(4)).relation.empty());
  const NetFindings both = compared(weight_normed(plain), weight_normed(plain));
  CHECK(both.relation == "identical");
  CHECK(both.transforms.empty());
}

TEST_CASE("norms of both kinds are undone together") {
  const NetFindings found = compared(weight_normed(net(5)), folded(net(5)));
  CHECK(found.relation == "identical");
  CHECK(names(found, "weight-norm"));
  CHECK(names(found, "bn-fold"));
}

}  // namespace
}  // namespace pedigree
