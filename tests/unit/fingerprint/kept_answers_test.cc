// What a deep part keeps of models with experts, and that its container says it.
#include "fingerprint/kept_answers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "fingerprint/sampling.h"
#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

struct Shape {
  int layers = 0;
  int experts = 0;
  std::uint64_t neurons = 0;
  bool shared = false;
};

// Names and sizes alone.
Model shaped(const Shape& shape) {
  Model model;
  const auto add = [&](int layer, const char* role, int expert) {
    model.canonical.push_back(
        {.role = role, .layer = layer, .expert = expert, .rows = shape.neurons, .cols = 8});
  };
  for (int layer = 0; layer < shape.layers; ++layer) {
    if (shape.shared) add(layer, "moe.shared.up", -1);
    for (int expert = 0; expert < shape.experts; ++expert) add(layer, "moe.up", expert);
  }
  std::ranges::sort(model.canonical, {}, [](const CanonicalTensor& tensor) {
    return std::tuple(tensor.layer, tensor.role, tensor.expert);
  });
  return model;
}

std::map<int, std::size_t> blocks_by_layer(const ExpertBudget& budget) {
  std::map<int, std::size_t> counts;
  for (const FfnPlace& place : budget.places) ++counts[place.layer];
  return counts;
}

std::set<int> numbers(const ExpertBudget& budget) {
  std::set<int> found;
  for (const FfnPlace& place : budget.places) found.insert(place.expert);
  return found;
}

// Width 16, 24 neurons, three layers of `experts`.
std::unique_ptr<Model> small_model(std::uint64_t seed, int experts) {
  made::Numbers numbers(seed);
  std::vector<made::Tensor> tensors;
  const auto add = [&](const std::string& name, const char* role, int layer, int expert,
                       std::vector<std::uint64_t> shape) {
    const std::uint64_t count = shape[0] * (shape.size() < 2 ? 1 : shape[1]);
    tensors.push_back({.name = name,
                       .shape = std::move(shape),
                       .bytes = made::f32_bytes(numbers.take(count)),
                       .role = role,
                       .layer = layer,
                       .expert = expert});
  };
  add("embed", "embed.tokens", -1, -1, {64, 16});
  for (int layer = 0; layer < 3; ++layer) {
    const std::string at = std::to_string(layer) + '.';
    add(at + "norm", "ffn.norm", layer, -1, {16});
    for (int expert = 0; expert < experts; ++expert) {
      const std::string of = at + std::to_string(expert) + '.';
      add(of + "gate", "moe.gate", layer, expert, {24, 16});
      add(of + "up", "moe.up", layer, expert, {24, 16});
      add(of + "down", "moe.down", layer, expert, {16, 24});
    }
  }
  auto model = made::model(tensors);
  model->architecture.layers = 3;
  model->architecture.hidden = 16;
  model->architecture.experts = static_cast<std::uint64_t>(experts);
  return model;
}

}  // namespace

TEST_CASE("of eight experts all are kept, in as many layers as the budget holds") {
  const Model mixtral = shaped({.layers = 32, .experts = 8, .neurons = 14336});
  const ExpertBudget budget = expert_budget(mixtral, 256, "");
  CHECK(budget.neurons == 256);
  CHECK(budget.places.size() == 64);  // 64 · 2 · 2 · 256 · 257 bytes = 16,842,752
  const auto layers = blocks_by_layer(budget);
  CHECK(layers.size() == 8);
  CHECK(std::ranges::all_of(layers, [](const auto& each) { return each.second == 8; }));
  CHECK(std::ranges::is_sorted(budget.places));
}

TEST_CASE("the layers kept are those with the smallest hashes") {
  const Model mixtral = shaped({.layers = 32, .experts = 8, .neurons = 14336});
  std::vector<std::uint64_t> kept;
  for (const auto& [layer, count] : blocks_by_layer(expert_budget(mixtral, 256, ""))) {
    kept.push_back(static_cast<std::uint64_t>(layer));
  }
  CHECK(kept == sampled_indices(SamplingScheme{}, "layer", 32, 8));
}

TEST_CASE("many experts are sampled by hash and give way in neurons before layers") {
  const Model deepseek = shaped({.layers = 58, .experts = 256, .neurons = 2048, .shared = true});
  const ExpertBudget budget = expert_budget(deepseek, 256, "");
  CHECK(budget.neurons == 128);
  CHECK(blocks_by_layer(budget).size() == 5);  // 25 blocks of 131,584 bytes a layer
  std::set<int> expected = {-1};
  for (const std::uint64_t expert : sampled_indices(SamplingScheme{}, "expert", 256, 24)) {
    expected.insert(static_cast<int>(expert));
  }
  CHECK(numbers(budget) == expected);
}

TEST_CASE("so many experts that four layers do not fit are halved") {
  const Model wide = shaped({.layers = 20, .experts = 2048, .neurons = 4096});
  const ExpertBudget budget = expert_budget(wide, 256, "");
  CHECK(numbers(budget).size() == 17);  // of 68, halved twice
  CHECK(blocks_by_layer(budget).size() == 7);
}

TEST_CASE("experts kept of more are kept of fewer as well") {
  const auto kept_of = [](int experts) {
    return numbers(
        expert_budget(shaped({.layers = 4, .experts = experts, .neurons = 64}), 256, ""));
  };
  const auto of_all = kept_of(64);
  const auto of_some = kept_of(40);
  for (const int expert : of_all) {
    if (expert < 40) CHECK(of_some.contains(expert));
  }
}

TEST_CASE("a salt draws other layers and experts") {
  const Model model = shaped({.layers = 32, .experts = 64, .neurons = 2048});
  CHECK(expert_budget(model, 256, "").places != expert_budget(model, 256, "secret").places);
}

TEST_CASE("a model without experts leaves their budget alone") {
  CHECK(expert_budget(Model{}, 256, "").places.empty());
}

TEST_CASE("a deep part with experts reads back bit for bit on any number of threads") {
  const auto model = small_model(3, 9);
  const auto first = make_fingerprint(*model, {.deep = true, .threads = 1});
  const auto second = make_fingerprint(*model, {.deep = true, .threads = 3});
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  CHECK(first->answers.size() == 3 * 8);
  const std::string bytes = to_bytes(*first);
  CHECK(bytes == to_bytes(*second));
  const auto read = read_fingerprint(MemorySource("made", bytes));
  REQUIRE(read.has_value());
  CHECK(to_bytes(*read) == bytes);
  REQUIRE(read->answers.size() == 3 * 8);
  for (std::size_t i = 0; i < read->answers.size(); ++i) {
    CHECK(read->answers[i].place == first->answers[i].place);
    CHECK(read->answers[i].experts == 9);
    CHECK(read->answers[i].full_neurons == 24);
    CHECK(read->answers[i].neurons.size() == 24);
  }
  CHECK(keeps_expert_answers(*read));
}

TEST_CASE("a kept expert's answers are its gate and up rows times gain and centred tokens") {
  const auto model = small_model(5, 2);
  const auto made = make_fingerprint(*model, {.deep = true});
  REQUIRE(made.has_value());
  REQUIRE(made->answers.size() == 6);
  const NeuronAnswers& block = made->answers[3];  // expert 1 of layer 1
  CHECK(block.place == FfnPlace{.layer = 1, .kind = FfnPlace::Kind::expert, .expert = 1});
  std::vector<std::uint64_t> tokens;
  for (const SampledToken& token : made->tokens) tokens.push_back(token.row);
  const auto same = neuron_answers(*model, {.tokens = tokens, .places = {block.place}}, 1, {});
  REQUIRE(same.has_value());
  CHECK(same->front().first == block.first);
  CHECK(same->front().second == block.second);
}

TEST_CASE("an earlier deep part gives what it has, and no answers of experts") {
  const auto model = made::llama_model(made::llama(3, 4));
  auto fingerprint = make_fingerprint(*model, {.deep = true});
  REQUIRE(fingerprint.has_value());
  fingerprint->deep_scheme = "pedigree-deep/2:c256:t16:a512:l8:w1024:n512:p256:b8000000:m16777216";
  CHECK(keeps_answers(*fingerprint));
  CHECK(keeps_couplings(*fingerprint));
  CHECK_FALSE(keeps_expert_answers(*fingerprint));
  fingerprint->deep_scheme = "pedigree-deep/2:c256:t16:a512:l8:w1024:n256:p256:b8000000:m16777216";
  CHECK_FALSE(keeps_answers(*fingerprint));
}

}  // namespace pedigree
