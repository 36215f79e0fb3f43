// Function-preserving changes: what is computed for deep stages does not move, and
// no mixture of them turns descent into independence.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <cmath>

#include "compare/compare.h"
#include "fingerprint/neuron_answers.h"
#include "tests/support/tiny_decoder.h"

namespace pedigree {
namespace {

std::unique_ptr<Model> opened(const ModelDirectory& directory) {
  auto model = open_model(directory.path());
  REQUIRE(model.has_value());
  return std::move(*model);
}

std::vector<NeuronAnswers> answers_of(const TinyDecoder& decoder) {
  const auto directory = decoder.written("tiny");
  const auto model = opened(*directory);
  AnswerRequest request{.places = ffn_places(*model)};
  for (std::uint64_t i = 0; i < 40; ++i) request.tokens.push_back(7 * i + 1);
  auto answers = neuron_answers(*model, request, 1, {});
  RC_ASSERT(answers.has_value());
  RC_ASSERT(answers->size() == TinyDecoder::layers);
  return std::move(*answers);
}

// Are `found`, neuron order[i] of `wanted` in place i, equal within rounding?
void hold_equal(const std::vector<float>& found, const std::vector<float>& wanted,
                const std::vector<std::size_t>& order, bool up_to_scale) {
  const std::size_t tokens = wanted.size() / order.size();
  for (std::size_t i = 0; i < order.size(); ++i) {
    double across = 0;
    double mine = 0;
    double theirs = 0;
    for (std::size_t t = 0; t < tokens; ++t) {
      const auto a = static_cast<double>(found[i * tokens + t]);
      const auto b = static_cast<double>(wanted[order[i] * tokens + t]);
      across += a * b;
      mine += a * a;
      theirs += b * b;
    }
    const double cosine = across / std::sqrt(mine * theirs);
    RC_ASSERT(std::abs(up_to_scale ? std::abs(cosine) : cosine) > 1 - 1e-6);
    if (!up_to_scale) RC_ASSERT(std::abs(mine / theirs - 1) < 1e-4);
  }
}

enum class Change { gains, rotation, residual_order, smoothing, scales, head_order, head_scales };

void apply(TinyDecoder& decoder, Change change, std::uint64_t seed) {
  switch (change) {
    case Change::gains:
      return decoder.fold_gains();
    case Change::rotation:
      return decoder.rotate_residual(seed);
    case Change::residual_order:
      return decoder.permute_residual(seed);
    case Change::smoothing:
      return decoder.smooth_inputs(seed);
    case Change::scales:
      if (decoder.gated()) decoder.scale_neurons(seed);
      return;
    case Change::head_order:
      if (decoder.gated()) decoder.permute_heads(seed);
      return;
    case Change::head_scales:
      return decoder.scale_heads(seed);
  }
}

auto some_changes() {
  return rc::gen::container<std::vector<Change>>(
      4,
      rc::gen::element(Change::gains, Change::rotation, Change::residual_order, Change::smoothing,
                       Change::scales, Change::head_order, Change::head_scales));
}

std::ostream& operator<<(std::ostream& out, Change change) {
  return out << static_cast<int>(change);
}

// A different seed a round, so that a failure names the one that repeats it.
std::string compared(const TinyDecoder& subject, const TinyDecoder& base) {
  const auto one = subject.written("subject");
  const auto other = base.written("base");
  const auto mine = opened(*one);
  const auto theirs = opened(*other);
  const auto sketch = make_fingerprint(*mine);
  const auto other_sketch = make_fingerprint(*theirs);
  REQUIRE(sketch.has_value());
  REQUIRE(other_sketch.has_value());
  const Comparison seen = compare({.sketch = *sketch, .weights = mine.get()},
                                  {.sketch = *other_sketch, .weights = theirs.get()});
  return seen.verdict.derived + " " + seen.verdict.stage + ": " + seen.verdict.summary;
}

}  // namespace

TEST_CASE("a neuron's answers survive every change that keeps what a model computes") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::inRange<std::uint64_t>(1, 1'000'000);
    const bool gated = *rc::gen::arbitrary<bool>();
    const auto changes = *some_changes();
    TinyDecoder decoder(gated, seed);
    const auto before = answers_of(decoder);
    for (std::size_t i = 0; i < changes.size(); ++i) apply(decoder, changes[i], seed + i);
    const auto orders = decoder.permute_neurons(seed);
    const auto after = answers_of(decoder);
    for (std::size_t layer = 0; layer < after.size(); ++layer) {
      hold_equal(after[layer].first, before[layer].first, orders[layer], false);
      hold_equal(after[layer].second, before[layer].second, orders[layer], gated);
    }
  }));
}

TEST_CASE("no mixture of such changes turns descent into independence") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    TinyDecoder base(seed % 4 != 0, seed);
    TinyDecoder subject = base;
    subject.add_noise(0.2, seed);
    for (int i = 0; i < 7; ++i) {
      if ((seed >> (static_cast<unsigned>(i) % 3U)) % 2 == 1) {
        apply(subject, static_cast<Change>(i), seed + 10);
      }
    }
    subject.permute_neurons(seed);
    const std::string verdict = compared(subject, base);
    CHECK_MESSAGE(verdict.starts_with("yes"), verdict);
  }
}

TEST_CASE("unrelated decoders stay unrelated, gated or plain") {
  for (const bool gated : {true, false}) {
    CAPTURE(gated);
    const std::string verdict = compared(TinyDecoder(gated, 21), TinyDecoder(gated, 22));
    CHECK_MESSAGE(!verdict.starts_with("yes"), verdict);
  }
}

}  // namespace pedigree
