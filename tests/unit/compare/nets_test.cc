// Nets without roles, made of random numbers: what they share is known by construction.
#include "compare/nets.h"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "compare/net_kernels.h"
#include "compare/net_tables.h"
#include "tests/support/binomial.h"
#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

struct Layer {
  std::string name = {};
  std::vector<std::uint64_t> shape = {};
  std::vector<float> values = {};
};
using Net = std::vector<Layer>;

// The sum of twelve uniform numbers, the same on every machine.
class Bell {
 public:
  explicit Bell(unsigned seed) : engine_(seed) {}
  float next() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<float>(engine_() >> 8U) * 0x1p-24F;
    return sum;
  }

 private:
  std::mt19937 engine_;
};

std::uint64_t size_of(const std::vector<std::uint64_t>& shape) {
  std::uint64_t size = 1;
  for (const std::uint64_t each : shape) size *= each;
  return size;
}

// Kernels, biases and gains of three convolutions and a layer of classes.
Net net(unsigned seed) {
  Bell bell(seed);
  Net layers;
  const auto add = [&](std::string name, std::vector<std::uint64_t> shape, float centre,
                       float deviation) {
    std::vector<float> values(size_of(shape));
    for (float& value : values) value = centre + deviation * bell.next();
    layers.push_back({std::move(name), std::move(shape), std::move(values)});
  };
  std::uint64_t inputs = 3;
  for (const std::uint64_t outputs : {36U, 48U, 64U}) {
    const std::string at = "conv" + std::to_string(outputs);
    add(at + ".weight", {outputs, inputs, 3, 3}, 0, 0.1F);
    add(at + ".bias", {outputs}, 0, 0.1F);
    add("bn" + std::to_string(outputs) + ".weight", {outputs}, 1, 0.2F);
    inputs = outputs;
  }
  add("classes.weight", {20, 64}, 0, 0.1F);
  return layers;
}

Net trained_on(Net layers, unsigned seed, float amount) {
  Bell bell(seed);
  for (Layer& layer : layers) {
    for (float& value : layer.values) value *= 1 + amount * bell.next();
  }
  return layers;
}

class Opened {
 public:
  explicit Opened(const Net& layers) {
    SafetensorsBuilder builder;
    for (const Layer& layer : layers) builder.f32(layer.name, layer.shape, layer.values);
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

// [O, I, h, w] to [h, w, I, O], under TensorFlow's names.
Net as_tensorflow(const Net& layers) {
  Net result;
  for (const Layer& layer : layers) {
    Layer turned{.name = layer.name, .shape = layer.shape, .values = layer.values};
    turned.name.replace(turned.name.find('.'), 1, "/");
    if (layer.shape.size() == 4) {
      turned.name.replace(turned.name.find("weight"), 6, "kernel");
      const auto& s = layer.shape;
      turned.shape = {s[2], s[3], s[1], s[0]};
      for (std::uint64_t o = 0; o < s[0]; ++o) {
        for (std::uint64_t i = 0; i < s[1]; ++i) {
          for (std::uint64_t at = 0; at < s[2] * s[3]; ++at) {
            turned.values[(at * s[1] + i) * s[0] + o] =
                layer.values[(o * s[1] + i) * s[2] * s[3] + at];
          }
        }
      }
    }
    result.push_back(std::move(turned));
  }
  return result;
}

}  // namespace

TEST_CASE("a net in another layout of kernels is identical, and both changes are named") {
  const NetFindings found = compared(as_tensorflow(net(1)), net(1));
  CHECK(found.relation == "identical");
  CHECK(found.derived == "yes");
  CHECK(found.transforms == std::vector<std::string>{"rename", "transpose"});
}

TEST_CASE("a net trained on has its channels in place, in either layout") {
  for (const Net& child :
       {trained_on(net(1), 7, 0.05F), as_tensorflow(trained_on(net(1), 7, 0.05F))}) {
    const NetFindings found = compared(child, net(1));
    CHECK(found.log10_p.value_or(0) < -50);
    CHECK(found.relation != "identical");
    CHECK_FALSE(found.relation.empty());
    CHECK(found.coverage == 1);
  }
}

TEST_CASE("without gains kinship stays open between descent and a shared seed") {
  Net child = trained_on(net(1), 7, 0.05F);
  Net parent = net(1);
  for (Net* each : {&child, &parent}) {
    std::erase_if(*each, [](const Layer& layer) { return layer.name.starts_with("bn"); });
  }
  const NetFindings found = compared(child, parent);
  CHECK(found.relation == "common-origin");
  CHECK(found.derived == "inconclusive");
}

TEST_CASE("separate nets are never called kin") {
  constexpr int pairs = 40;
  int below_tenth = 0;
  int below_hundredth = 0;
  for (unsigned seed = 0; seed < pairs; ++seed) {
    const NetFindings found = compared(net(100 + 2 * seed), net(101 + 2 * seed));
    CHECK(found.derived != "yes");
    CHECK((found.relation.empty() || found.relation == "independent"));
    REQUIRE(found.log10_p.has_value());
    below_tenth += *found.log10_p <= -1 ? 1 : 0;
    below_hundredth += *found.log10_p <= -2 ? 1 : 0;
  }
  CHECK(lower_bound_99(below_tenth, pairs) <= 0.1);
  CHECK(lower_bound_99(below_hundredth, pairs) <= 0.01);
}

TEST_CASE("a table that strangers share is no kinship") {
  Net one = net(1);
  Net two = net(2);
  std::vector<float> mel(std::size_t{36} * 80);
  for (std::size_t i = 0; i < mel.size(); ++i) mel[i] = std::sin(static_cast<float>(i));
  std::vector<float> other = mel;
  for (float& value : other) value *= 1 + 1e-6F;  // computed in another precision
  one.push_back({"filters", {36, 80}, mel});
  two.push_back({"filters", {36, 80}, mel});
  CHECK(compared(one, two).derived != "yes");
  two.back().values = other;
  CHECK(compared(one, two).relation.empty());
}

TEST_CASE("tables of waves that strangers share are no frozen kernels") {
  // Real and imaginary part of a windowed Fourier transform and a cosine transform, as matrices,
  // in two nets that are otherwise strangers and smaller than their tables.
  Net one = net(1);
  Net two = net(2);
  const auto table = [](std::uint64_t rows, std::uint64_t cols, double phase) {
    std::vector<float> values;
    for (std::uint64_t k = 0; k < rows; ++k) {
      for (std::uint64_t n = 0; n < cols; ++n) {
        const double at = (static_cast<double>(n) + 0.5) / static_cast<double>(cols);
        const double window = 0.5 - 0.5 * std::cos(6.283185307179586 * at);
        const double angle = 3.141592653589793 * static_cast<double>(k + 1) * at;
        values.push_back(static_cast<float>(window * std::cos(angle + phase)));
      }
    }
    return values;
  };
  for (Net* each : {&one, &two}) {
    each->push_back({"stft.real", {129, 256}, table(129, 256, 0)});
    each->push_back({"stft.imaginary", {129, 256}, table(129, 256, 1.5707963)});
    each->push_back({"dct", {129, 240}, table(129, 240, 0.3)});
  }
  const NetFindings found = compared(one, two);
  CHECK(found.derived != "yes");
  CHECK(found.relation != "common-origin");
}

TEST_CASE("tables of positions and of rotary angles are computed, and listed as saying nothing") {
  // Vaswani et al. 2017, section 3.5; rotary angles are the same without the sines apart.
  Net one = net(1);
  Net two = net(2);
  std::vector<float> sines;
  std::vector<float> rotary;
  for (int position = 0; position < 128; ++position) {
    for (int i = 0; i < 48; ++i) {
      const double angle = position / std::pow(10000.0, 2 * (i / 2) / 48.0);
      sines.push_back(static_cast<float>(i % 2 == 0 ? std::sin(angle) : std::cos(angle)));
      rotary.push_back(static_cast<float>(std::cos(position / std::pow(10000.0, i / 48.0))));
    }
  }
  for (Net* each : {&one, &two}) {
    each->push_back({"positions", {1, 128, 48}, sines});
    each->push_back({"rotary", {128, 48}, rotary});
    each->push_back({"rotary_again", {128, 48}, rotary});
  }
  const Opened mine(one);
  const Opened theirs(two);
  CompareOptions options;
  options.details = true;
  const auto found = compare_nets(mine.model(), theirs.model(), options);
  REQUIRE(found.has_value());
  CHECK(found->derived != "yes");
  for (const TensorRow& row : found->rows) {
    if (row.name.starts_with("positions") || row.name.starts_with("rotary")) {
      CHECK(row.state == "uninformative");
    }
  }
}

TEST_CASE("kernels of random numbers are not taken for computed ones") {
  Bell bell(11);
  int computed = 0;
  for (int i = 0; i < 50; ++i) {
    NetPair pair{.shape = {48, 64}};
    for (int at = 0; at < 48 * 64; ++at) pair.mine.push_back(bell.next());
    computed += is_computed(pair) ? 1 : 0;
  }
  CHECK(computed == 0);
}

TEST_CASE("filters over one channel that strangers share are no frozen kernels") {
  Net one = net(1);
  Net two = net(2);
  const Net filters = net(9);
  for (Net* each : {&one, &two}) {
    for (int i = 0; i < 4; ++i) {
      each->push_back({"bank" + std::to_string(i), {48, 1, 432}, filters[3].values});
      each->back().values.resize(48 * 432, 0.5F);
    }
  }
  CHECK(compared(one, two).derived == "inconclusive");
}

TEST_CASE("no kernel bears witness beside a group whose channels it reads") {
  const auto kernel = [](std::uint64_t channels, std::uint64_t inputs) {
    return Kernel{.channels = channels, .inputs = inputs};
  };
  // A bottleneck: 64 reads 256 and 256 reads 64. Two of the first kind stand against one.
  const std::vector<Kernel> bottleneck{kernel(64, 256), kernel(64, 256), kernel(256, 64)};
  const auto groups = ordered_groups(bottleneck);
  REQUIRE(groups.size() == 1);
  CHECK(groups.front().size() == 2);
  const std::vector<Kernel> chain{kernel(32, 3), kernel(64, 32), kernel(128, 64)};
  CHECK(ordered_groups(chain).size() == 3);
  const std::vector<Kernel> back{kernel(128, 7), kernel(64, 128), kernel(32, 64)};
  CHECK(ordered_groups(back).size() == 3);
  // A flattened picture of its own group's channels may hold the same numbering twice.
  const std::vector<Kernel> flattened{kernel(32, 3), kernel(32, 32 * 49)};
  REQUIRE(ordered_groups(flattened).size() == 1);
  CHECK(ordered_groups(flattened).front().size() == 1);
}

TEST_CASE("channels that repeat another on either side are no units") {
  Kernel kernel{.channels = 20, .mine = Matrix(20, 4), .theirs = Matrix(20, 4)};
  Bell bell(3);
  for (double& value : kernel.mine.values) value = static_cast<double>(bell.next());
  for (double& value : kernel.theirs.values) value = static_cast<double>(bell.next());
  CHECK(witness_of({&kernel}).units == 20);
  std::ranges::copy(kernel.mine.row(3), kernel.mine.row(7).begin());
  CHECK(witness_of({&kernel}).units == 19);
  std::ranges::copy(kernel.theirs.row(5), kernel.theirs.row(2).begin());
  CHECK(witness_of({&kernel}).units == 18);
}

TEST_CASE("details name every tensor and what became of it") {
  Net child = net(1);
  child.back().values = net(3).back().values;
  const Opened mine(child);
  const Opened theirs(net(1));
  CompareOptions options;
  options.details = true;
  const auto found = compare_nets(mine.model(), theirs.model(), options);
  REQUIRE(found.has_value());
  CHECK(found->rows.size() == child.size());
  for (const TensorRow& row : found->rows) {
    CHECK(row.state == (row.name == "classes.weight" ? "changed" : "equal"));
    CHECK(row.base_name == row.name);
  }
}

TEST_CASE("classes mean something, so a shared order of them is no kinship") {
  // The last layer alone is equal in both.
  Net one = net(1);
  Net two = net(2);
  two.back().values = trained_on({one.back()}, 3, 0.01F).front().values;
  CHECK(compared(one, two).relation.empty());
}

TEST_CASE("square kernels bear no witness, since both axes may be one numbering") {
  // Two nets whose square kernels are near the identity, as in a residual stage.
  const auto residual = [](unsigned seed) {
    Bell bell(seed);
    Net layers;
    for (int i = 0; i < 4; ++i) {
      std::vector<float> values(64 * 64);
      for (std::size_t at = 0; at < values.size(); ++at) {
        values[at] = (at % 65 == 0 ? 1.0F : 0.0F) + 0.05F * bell.next();
      }
      layers.push_back({"stage." + std::to_string(i) + ".weight", {64, 64}, std::move(values)});
    }
    return layers;
  };
  const NetFindings found = compared(residual(1), residual(2));
  CHECK(found.relation.empty());
  CHECK_FALSE(found.log10_p.has_value());
}

TEST_CASE("a recurrent layer's gates are one unit, and its recurrent matrix none") {
  const auto recurrent = [](unsigned seed, float noise) {
    Bell bell(seed);
    Bell extra(99);
    Net layers;
    for (const char* layer : {"l0", "l1"}) {
      for (const char* which : {"ih", "hh"}) {
        const std::uint64_t inputs = which[0] == 'h' ? 32 : 40;
        std::vector<float> values(128 * inputs);
        for (float& value : values) value = bell.next() * (1 + noise * extra.next());
        layers.push_back(
            {std::string("lstm.weight_") + which + "_" + layer, {128, inputs}, std::move(values)});
      }
    }
    layers.push_back({"head.weight", {4, 32}, std::vector<float>(128, 0.5F)});
    return layers;
  };
  const NetFindings kin = compared(recurrent(1, 0.1F), recurrent(1, 0));
  REQUIRE_FALSE(kin.evidence.empty());
  CHECK(kin.evidence.front().samples == 32);
  CHECK(kin.evidence.front().value == 32);
  CHECK(compared(recurrent(1, 0), recurrent(2, 0)).relation.empty());
}

TEST_CASE("a net whose head alone was trained anew is a partial fine-tune") {
  Net child = net(1);
  child.back().values = net(3).back().values;
  const NetFindings found = compared(child, net(1));
  CHECK(found.relation == "partial-finetune");
  CHECK(found.derived == "yes");
  CHECK(found.changed_tensors == std::vector<std::string>{"classes.weight"});
}

TEST_CASE("a net is found inside a larger one under other names and in another order") {
  // The encoder's kernels behind a stranger's of the same shapes.
  Net whole = net(5);
  for (Layer& layer : whole) layer.name = "a." + layer.name;
  const char* prefix = "z.";
  Net encoder = net(1);
  for (std::size_t i = encoder.size(); i-- > 0;) {
    whole.push_back(encoder[i]);
    whole.back().name = prefix + std::to_string(encoder.size() - i) + ".weight";
  }
  for (const auto& [subject, base] : {std::pair(encoder, whole), std::pair(whole, encoder)}) {
    const NetFindings found = compared(subject, base);
    CHECK(found.relation == "partial-reuse");
    CHECK(found.derived == "yes");
  }
  Net stranger = net(8);
  CHECK(compared(stranger, whole).derived != "yes");
}

TEST_CASE("names and order that say nothing leave a net identical by what it holds") {
  Net scrambled = net(1);
  for (std::size_t i = 0; i < scrambled.size(); ++i) {
    scrambled[i].name = "t" + std::to_string((7 * i + 3) % scrambled.size());
  }
  const NetFindings found = compared(scrambled, net(1));
  CHECK(found.relation == "identical");
  CHECK(found.transforms == std::vector<std::string>{"rename"});
}

TEST_CASE("a head of another shape on the same backbone is partial reuse") {
  Net child = net(1);
  child.back() = {"classes.weight", {10, 64}, std::vector<float>(640, 0.25F)};
  const NetFindings found = compared(child, net(1));
  CHECK(found.relation == "partial-reuse");
  CHECK(found.derived == "yes");
}

TEST_CASE("tensors that are no floating numbers keep nets from being called identical") {
  SafetensorsBuilder one;
  SafetensorsBuilder two;
  const Net layers = net(1);
  for (const Layer& layer : layers) {
    one.f32(layer.name, layer.shape, layer.values);
    two.f32(layer.name, layer.shape, layer.values);
  }
  one.tensor("packed", "I8", {64, 64}, std::string(4096, 'a'));
  two.tensor("packed", "I8", {64, 64}, std::string(4096, 'b'));
  ModelDirectory files;
  files.write("one.safetensors", one.build()).write("two.safetensors", two.build());
  const auto mine = open_model(files.path("one.safetensors"));
  const auto theirs = open_model(files.path("two.safetensors"));
  REQUIRE((mine.has_value() && theirs.has_value()));
  const auto found = compare_nets(**mine, **theirs, {});
  REQUIRE(found.has_value());
  CHECK(found->relation != "identical");
  CHECK(found->coverage < 1);
}

TEST_CASE("a tensor with a number that is none takes no part in the size of change") {
  Net child = trained_on(net(1), 7, 0.05F);
  Net parent = net(1);
  for (int i = 0; i < 9; ++i) {
    std::vector<float> values(400, 1);
    for (std::size_t at = 0; at < values.size(); ++at) values[at] = static_cast<float>(at);
    child.push_back({"extra" + std::to_string(i), {20, 20}, values});
    values.front() = std::nanf("");
    parent.push_back({"extra" + std::to_string(i), {20, 20}, values});
  }
  const NetFindings with = compared(child, parent);
  const NetFindings without = compared(trained_on(net(1), 7, 0.05F), net(1));
  CHECK(with.relation == without.relation);
}

TEST_CASE("numbers that are none, and nets that are next to nothing, give no verdict") {
  Net broken = net(1);
  broken.front().values.front() = std::nanf("");
  CHECK(compared(broken, trained_on(net(1), 7, 0.05F)).relation != "identical");
  const Net tiny{{"a.weight", {16, 4}, std::vector<float>(64, 0.5F)}};
  const NetFindings found = compared(tiny, tiny);
  CHECK(found.relation.empty());
  CHECK(found.because.contains("under a thousand parameters"));
}

}  // namespace pedigree
