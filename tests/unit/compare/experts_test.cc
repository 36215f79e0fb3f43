// Models of sketches alone: which expert stands against which, and what it says.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "compare/expert_findings.h"
#include "compare/expert_matches.h"
#include "compare/ffn_pairs.h"

namespace pedigree {
namespace {

constexpr std::size_t neurons = 32;
constexpr std::size_t width = 32;

struct Ffn {  // rows of gate and up, columns of down
  std::vector<float> gate = {};
  std::vector<float> up = {};
  std::vector<float> down = {};
};

using Layers = std::vector<std::vector<Ffn>>;  // blocks by layer

Ffn random_ffn(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Ffn ffn;
  for (auto* part : {&ffn.gate, &ffn.up, &ffn.down}) {
    for (std::size_t i = 0; i < neurons * width; ++i) part->push_back(normal(random));
  }
  return ffn;
}

Ffn changed(const Ffn& ffn, float amount, unsigned seed) {
  Ffn result = ffn;
  const Ffn noise = random_ffn(seed);
  for (auto part : {&Ffn::gate, &Ffn::up, &Ffn::down}) {
    for (std::size_t i = 0; i < neurons * width; ++i)
      (result.*part)[i] += amount * (noise.*part)[i];
  }
  return result;
}

Ffn mean_of(const Ffn& a, const Ffn& b) {
  Ffn result = a;
  for (auto part : {&Ffn::gate, &Ffn::up, &Ffn::down}) {
    for (std::size_t i = 0; i < neurons * width; ++i) {
      (result.*part)[i] = ((a.*part)[i] + (b.*part)[i]) / 2;
    }
  }
  return result;
}

Layers dense(unsigned seed, std::size_t depth = 3) {
  Layers layers;
  for (std::size_t i = 0; i < depth; ++i) {
    layers.push_back({random_ffn(seed + static_cast<unsigned>(i))});
  }
  return layers;
}

// `count` copies of each layer's one block, changed apart from each other.
Layers upcycled(const Layers& layers, std::size_t count, float change, unsigned seed) {
  Layers result;
  for (const auto& layer : layers) {
    result.emplace_back();
    for (std::size_t e = 0; e < count; ++e) {
      result.back().push_back(changed(layer.front(), change, ++seed));
    }
  }
  return result;
}

Block block_of(const char* part, bool expert, std::vector<float> values) {
  Block block{.role = std::string(expert ? "moe." : "ffn.") + part,
              .full_rows = neurons,
              .full_cols = width,
              .element_type = "F32",
              .values = std::move(values)};
  for (std::size_t i = 0; i < neurons; ++i) block.rows.push_back(i);
  for (std::size_t j = 0; j < width; ++j) block.cols.push_back(j);
  return block;
}

Fingerprint fingerprint_of(const Layers& layers) {
  Fingerprint sketch{.scheme = "test"};
  sketch.architecture.layers = layers.size();
  sketch.architecture.ffn = neurons;
  sketch.architecture.hidden = width;
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const bool experts = layers[layer].size() > 1;
    if (experts) sketch.architecture.experts = layers[layer].size();
    for (std::size_t e = 0; e < layers[layer].size(); ++e) {
      const Ffn& ffn = layers[layer][e];
      for (Block block : {block_of("gate", experts, ffn.gate), block_of("up", experts, ffn.up),
                          block_of("down", experts, ffn.down)}) {
        block.layer = static_cast<int>(layer);
        block.expert = experts ? static_cast<int>(e) : -1;
        sketch.blocks.push_back(std::move(block));
      }
    }
  }
  return sketch;
}

struct Compared {
  Fingerprint subject = {};
  Fingerprint base = {};
  std::unique_ptr<FfnPairs> pairs = {};
  Alignment alignment = {};
  ExpertFindings findings = {};

  // `in_full`: experts of a layer of the subject, more of which are left out.
  Compared(const Layers& a, const Layers& b, std::uint64_t in_full = 0)
      : subject(fingerprint_of(a)), base(fingerprint_of(b)) {
    if (in_full > 0) subject.architecture.experts = in_full;
    const Side mine{.sketch = subject};
    const Side theirs{.sketch = base};
    pairs = std::make_unique<FfnPairs>(*ffn_sketch(mine, base), *ffn_sketch(theirs, subject));
    alignment.layers = identity_map(subject, base);
    alignment.experts = indexed_matches(*pairs, alignment.layers, Seen::weights, 1);
    findings = *expert_findings(mine, theirs, alignment, *pairs);
  }

  Cell aligned() const {
    return pooled(alignment.layers, [this](int a, int b) { return pairs->neurons(a, b); });
  }
};

bool has(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

}  // namespace

TEST_CASE("experts copied from a dense block are paired by index, one witness a layer") {
  const Layers base = dense(1);
  const Compared seen(upcycled(base, 4, 0.3F, 100), base);
  const Cell cell = seen.aligned();
  CHECK(cell.matched == 3 * neurons);
  CHECK(cell.witnesses == 3);  // twelve experts share three orders of neurons
  CHECK(seen.pairs->choices(0, 0) == 4);
  CHECK(seen.pairs->log10_choices(seen.alignment.layers) == doctest::Approx(3 * std::log10(4.0)));
  CHECK(seen.pairs->log10_maps(3, 3) == doctest::Approx(3 * std::log10(13.0)));
  CHECK(log10_p(cell, seen.pairs->log10_choices(seen.alignment.layers)) < -90);
}

TEST_CASE("up-cycling names its parent and every expert's block") {
  const Layers base = dense(1);
  const Compared seen(upcycled(base, 4, 0.3F, 100), base);
  CHECK(has(seen.findings.mechanisms, "moe-upcycled"));
  CHECK(seen.findings.transforms == std::vector<std::string>{"expert-copy"});
  REQUIRE(seen.findings.sign.has_value());
  CHECK(seen.findings.sign->base_is_parent);
  REQUIRE(seen.findings.report.has_value());
  CHECK(seen.findings.report->subject == 4);
  CHECK(seen.findings.report->base == 0);
  CHECK(seen.findings.report->covered == 1);
  REQUIRE(seen.findings.report->map.size() == 12);
  const ExpertLink& link = seen.findings.report->map[5];
  CHECK(link.layer == 1);
  CHECK(link.expert == 1);
  CHECK(link.base_layer == 1);
  CHECK(link.base_expert == -1);
  CHECK(link.share == 1);
}

TEST_CASE("the same pair the other way round has the same parent") {
  const Layers base = dense(1);
  const Compared seen(base, upcycled(base, 4, 0.3F, 100));
  CHECK(has(seen.findings.mechanisms, "moe-upcycled"));
  REQUIRE(seen.findings.sign.has_value());
  CHECK_FALSE(seen.findings.sign->base_is_parent);
  CHECK(seen.findings.report->map.size() == 12);
}

TEST_CASE("a relative of the dense parent is not called the parent") {
  const Layers ancestor = dense(1);
  const Layers parent = upcycled(ancestor, 1, 0.3F, 500);
  const Layers sibling = upcycled(ancestor, 1, 0.3F, 600);
  const Compared seen(upcycled(parent, 4, 0.3F, 100), sibling);
  CHECK(has(seen.findings.mechanisms, "moe-upcycled"));
  CHECK_FALSE(seen.findings.sign.has_value());
}

TEST_CASE("experts averaged into a dense block descend to it") {
  const Layers experts = upcycled(dense(1), 2, 0.3F, 100);
  Layers averaged;
  for (const auto& layer : experts) averaged.push_back({mean_of(layer[0], layer[1])});
  const Compared seen(averaged, experts);
  CHECK(seen.findings.mechanisms == std::vector<std::string>{"pruned"});
  CHECK(has(seen.findings.transforms, "expert-average"));
  REQUIRE(seen.findings.sign.has_value());
  CHECK(seen.findings.sign->base_is_parent);
  CHECK(seen.findings.kept_experts == 0.5);
}

TEST_CASE("some of many experts around a block do not tell who was first") {
  // Were the dense block the mean of 64 experts, four of them would lie around it like copies.
  const Layers base = dense(1);
  const Layers four = upcycled(base, 4, 0.3F, 100);
  CHECK(Compared(four, base).findings.sign.has_value());
  const Compared seen(four, base, 64);
  CHECK(has(seen.findings.mechanisms, "moe-upcycled"));
  CHECK_FALSE(seen.findings.sign.has_value());
}

TEST_CASE("experts that could not be looked at are not called left out or renumbered") {
  const Layers eight = upcycled(dense(1), 8, 0.3F, 100);
  Layers shown;
  Layers others;
  for (const auto& layer : eight) {
    shown.push_back({layer[0], layer[2], layer[5], layer[7]});
    others.push_back({layer[2], layer[0], layer[7], layer[5]});
  }
  const Compared left_out(shown, eight, 8);
  CHECK(left_out.findings.mechanisms.empty());
  CHECK_FALSE(left_out.findings.sign.has_value());
  CHECK(left_out.findings.carried);
  const Compared renumbered(shown, others, 8);
  CHECK_FALSE(renumbered.findings.reparametrised);
}

TEST_CASE("renumbered experts are found under their new numbers") {
  const Layers base = upcycled(dense(1), 4, 0.4F, 100);
  Layers subject = base;
  for (auto& layer : subject) layer = {layer[2], layer[0], layer[3], layer[1]};
  const Compared seen(subject, base);
  CHECK(seen.findings.reparametrised);
  CHECK(has(seen.findings.transforms, "expert-permute"));
  REQUIRE(seen.alignment.experts.size() == 12);
  CHECK(seen.alignment.experts[0].base.expert == 2);
  CHECK(seen.alignment.experts[1].base.expert == 0);
  CHECK(seen.alignment.experts[2].base.expert == 3);
}

TEST_CASE("trained-on experts keep their numbers though all resemble all") {
  const Layers base = upcycled(dense(1), 4, 0.1F, 100);
  Layers subject = base;
  unsigned seed = 900;
  for (auto& layer : subject) {
    for (Ffn& ffn : layer) ffn = changed(ffn, 0.3F, ++seed);
  }
  const Compared seen(subject, base);
  CHECK_FALSE(seen.findings.reparametrised);
  for (const FfnMatch& match : seen.alignment.experts) {
    CHECK(match.subject.expert == match.base.expert);
  }
}

TEST_CASE("experts left out are told from those that were kept") {
  const Layers base = upcycled(dense(1), 8, 0.3F, 100);
  Layers subject;
  unsigned seed = 700;
  for (const auto& layer : base) {
    subject.push_back({changed(layer[1], 0.05F, ++seed), changed(layer[6], 0.05F, ++seed)});
  }
  const Compared seen(subject, base);
  CHECK(seen.findings.mechanisms == std::vector<std::string>{"pruned"});
  CHECK(has(seen.findings.transforms, "expert-drop"));
  CHECK(seen.findings.kept_experts == 0.25);
  REQUIRE(seen.findings.sign.has_value());
  CHECK(seen.findings.sign->base_is_parent);
  REQUIRE(seen.alignment.experts.size() == 6);
  CHECK(seen.alignment.experts[0].base.expert == 1);
  CHECK(seen.alignment.experts[1].base.expert == 6);
}

TEST_CASE("two models up-cycled apart from one dense model are no parent and child") {
  const Layers origin = dense(1);
  Layers few = upcycled(origin, 4, 0.2F, 100);
  for (std::size_t i = 0; i < few.size(); ++i) few[i][0] = origin[i][0];  // one left as it was
  const Compared seen(upcycled(origin, 8, 0.2F, 300), few);
  CHECK_FALSE(has(seen.findings.mechanisms, "pruned"));
  CHECK_FALSE(seen.findings.sign.has_value());
  CHECK(seen.findings.carried);
}

TEST_CASE("experts repeated into more name the smaller model as the parent") {
  Layers base;
  for (unsigned layer = 0; layer < 3; ++layer) {
    base.push_back({random_ffn(40 + 2 * layer), random_ffn(41 + 2 * layer)});
  }
  Layers subject;
  unsigned seed = 800;
  for (const auto& layer : base) {
    subject.emplace_back();
    for (std::size_t e = 0; e < 4; ++e) {
      subject.back().push_back(changed(layer[e % 2], 0.1F, ++seed));
    }
  }
  const Compared seen(subject, base);
  CHECK(has(seen.findings.mechanisms, "moe-upcycled"));
  CHECK(has(seen.findings.transforms, "expert-repeat"));
  REQUIRE(seen.findings.sign.has_value());
  CHECK(seen.findings.sign->base_is_parent);
}

TEST_CASE("unrelated experts stand against nothing") {
  const Compared seen(upcycled(dense(1), 4, 0.3F, 100), upcycled(dense(50), 4, 0.3F, 200));
  CHECK(seen.alignment.experts.empty());
  CHECK_FALSE(seen.findings.carried);
  CHECK(seen.findings.mechanisms.empty());
}

TEST_CASE("the place of a role is read back from it") {
  CHECK(ffn_place("moe.down", 3, 7) ==
        FfnPlace{.layer = 3, .kind = FfnPlace::Kind::expert, .expert = 7});
  CHECK(ffn_place("moe.shared.gate", 3, -1)->kind == FfnPlace::Kind::shared);
  CHECK_FALSE(ffn_place("attn.q", 0, -1).has_value());
  CHECK_FALSE(ffn_place("moe.router", 0, -1).has_value());
  CHECK(role_of(FfnPlace::Kind::shared, FfnPart::up) == "moe.shared.up");
  CHECK(ffn_part("moe.shared.up") == FfnPart::up);
}

}  // namespace pedigree
