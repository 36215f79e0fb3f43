// When what a deep part keeps of experts could have missed a copy, and what it finds.
#include "compare/kept_experts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace pedigree {
namespace {

constexpr std::size_t tokens = 64;

FfnPlace dense_at(int layer) { return {.layer = layer}; }
FfnPlace expert_at(int layer, int expert) {
  return {.layer = layer, .kind = FfnPlace::Kind::expert, .expert = expert};
}

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

struct Size {
  std::uint64_t kept = 0;
  std::uint64_t full = 0;
};

// A deep fingerprint of these blocks, answers drawn at random.
Fingerprint kept(const std::vector<FfnPlace>& places, Size size, std::uint64_t depth,
                 unsigned seed = 1) {
  Fingerprint sketch{.scheme = "test", .deep_scheme = deep_scheme_id()};
  sketch.architecture.layers = depth;
  for (std::size_t i = 0; i < tokens; ++i) sketch.tokens.push_back({.row = i, .hash = i});
  for (const FfnPlace& place : places) {
    const bool expert = place.kind == FfnPlace::Kind::expert;
    if (expert) {
      sketch.architecture.experts =
          std::max(sketch.architecture.experts, static_cast<std::uint64_t>(place.expert) + 1);
    }
    sketch.blocks.push_back({.role = expert ? "moe.up" : "ffn.up",
                             .layer = place.layer,
                             .expert = place.expert,
                             .full_rows = size.full});
    NeuronAnswers block{.place = place, .full_neurons = size.full};
    for (std::uint64_t i = 0; i < size.kept; ++i) block.neurons.push_back(i);
    block.first = random_values(size.kept * tokens, ++seed);
    block.second = random_values(size.kept * tokens, ++seed);
    sketch.answers.push_back(std::move(block));
  }
  return sketch;
}

std::vector<FfnPlace> dense(int depth) {
  std::vector<FfnPlace> places;
  for (int layer = 0; layer < depth; ++layer) places.push_back(dense_at(layer));
  return places;
}

std::vector<FfnPlace> experts(int depth, int count) {
  std::vector<FfnPlace> places;
  for (int layer = 0; layer < depth; ++layer) {
    for (int expert = 0; expert < count; ++expert) places.push_back(expert_at(layer, expert));
  }
  return places;
}

std::string lacking(const Fingerprint& subject, const Fingerprint& base) {
  const Side mine{.sketch = subject};
  const Side theirs{.sketch = base};
  const auto views = views_of_both(mine, theirs, common_tokens(subject, base), {});
  REQUIRE(views.has_value());
  return kept_too_little(mine, theirs, *views);
}

}  // namespace

TEST_CASE("experts as large as a dense block are judged by lists of the largest neurons") {
  CHECK(lacking(kept(experts(4, 8), {.kept = 256, .full = 14336}, 4),
                kept(dense(4), {.kept = 256, .full = 14336}, 4))
            .empty());
}

TEST_CASE("a small part of a large block is not judged by a list of the largest neurons") {
  // 256 · 1408 / 11008 = 33 neurons in common at best, where 50 are asked for.
  const std::string because = lacking(kept(experts(4, 8), {.kept = 256, .full = 1408}, 4),
                                      kept(dense(4), {.kept = 256, .full = 11008}, 4));
  CHECK(because.find("11008 neurons") != std::string::npos);
  CHECK(because.find("1408 neurons") != std::string::npos);
}

TEST_CASE("blocks that were kept whole are judged whatever their size") {
  CHECK(lacking(kept(experts(4, 4), {.kept = 32, .full = 32}, 4),
                kept(dense(4), {.kept = 128, .full = 128}, 4))
            .empty());
}

TEST_CASE("some layers of experts say nothing beside a model of another depth") {
  Fingerprint some = kept(experts(4, 2), {.kept = 64, .full = 64}, 8);
  for (int layer = 4; layer < 8; ++layer) {
    some.blocks.push_back({.role = "moe.up", .layer = layer, .expert = 0, .full_rows = 64});
  }
  const Fingerprint same = kept(experts(4, 2), {.kept = 64, .full = 64}, 8);
  const Fingerprint other = kept(dense(6), {.kept = 64, .full = 64}, 6);
  CHECK(lacking(some, same).empty());
  CHECK_FALSE(lacking(some, other).empty());
  CHECK_FALSE(lacking(other, some).empty());
}

TEST_CASE("too few of very many experts are not enough to meet a renumbered one") {
  Fingerprint mine = kept(experts(4, 4), {.kept = 64, .full = 64}, 4);
  Fingerprint theirs = kept(experts(4, 4), {.kept = 64, .full = 64}, 4, 500);
  CHECK(lacking(mine, theirs).empty());
  mine.architecture.experts = 17;  // 4 of 17 against 4 of 17: 0.94 in common
  theirs.architecture.experts = 17;
  CHECK_FALSE(lacking(mine, theirs).empty());
}

TEST_CASE("a fingerprint without answers of experts does not go by them") {
  const Fingerprint mine = kept(experts(4, 2), {.kept = 64, .full = 64}, 4);
  Fingerprint old = kept(experts(4, 2), {.kept = 64, .full = 64}, 4);
  CHECK(go_by_kept_answers({.sketch = mine}, {.sketch = mine}));
  old.deep_scheme = "pedigree-deep/2:c256:t16:a512:l8:w1024:n512:p256:b8000000:m16777216";
  CHECK_FALSE(go_by_kept_answers({.sketch = mine}, {.sketch = old}));
  const Fingerprint plain = kept(dense(4), {.kept = 64, .full = 64}, 4);
  CHECK_FALSE(go_by_kept_answers({.sketch = plain}, {.sketch = plain}));
}

TEST_CASE("kept answers stand under a dense layer's roles, block by block") {
  const Fingerprint mine = kept(experts(3, 2), {.kept = 64, .full = 200}, 3);
  const auto blocks = answered_blocks({.sketch = mine}, {.sketch = mine}, {});
  REQUIRE(blocks.has_value());
  REQUIRE(blocks->places == experts(3, 2));
  const Responses* up = blocks->sketch.response("ffn.up", 3);
  REQUIRE(up != nullptr);
  CHECK(up->values == mine.answers[3].second);
  REQUIRE(blocks->sketch.block("ffn.up", 3) != nullptr);
  CHECK(blocks->sketch.block("ffn.up", 3)->full_rows == 200);
}

TEST_CASE("re-dealt experts are found through kept answers, those already known are not") {
  const Fingerprint base = kept(experts(3, 2), {.kept = 64, .full = 64}, 3);
  Fingerprint subject = base;
  for (std::size_t i = 0; i < subject.answers.size(); ++i) {
    NeuronAnswers& block = subject.answers[i];
    const NeuronAnswers& other = base.answers[i ^ 1U];  // the other expert, turned round
    for (std::size_t k = 0; k < 64; ++k) {
      for (std::size_t j = 0; j < tokens; ++j) {
        block.first[k * tokens + j] = other.first[(63 - k) * tokens + j];
        block.second[k * tokens + j] = other.second[(63 - k) * tokens + j];
      }
    }
  }
  const Alignment alignment{.layers = {{0, 0}, {1, 1}, {2, 2}}};
  const Side mine{.sketch = subject};
  const Side theirs{.sketch = base};
  const auto matches = redealt_matches(mine, theirs, alignment, {}, {});
  REQUIRE(matches.has_value());
  REQUIRE(matches->size() == 6);
  const FfnMatch& match = (*matches)[2];
  CHECK(match.subject == expert_at(1, 0));
  CHECK(match.base == expert_at(1, 1));
  CHECK(match.found == 64);
  CHECK_FALSE(match.by_index);
  CHECK_FALSE(match.in_part);
  CHECK(match.neurons.front() == std::pair<std::uint64_t, std::uint64_t>(0, 63));
  const auto rest = redealt_matches(mine, theirs, alignment, {match}, {});
  REQUIRE(rest.has_value());
  CHECK(rest->size() == 5);
}

TEST_CASE("lists of the largest neurons are marked as a part of their blocks") {
  const Fingerprint base = kept(experts(3, 2), {.kept = 64, .full = 4096}, 3);
  const Alignment alignment{.layers = {{0, 0}, {1, 1}, {2, 2}}};
  const auto matches = redealt_matches({.sketch = base}, {.sketch = base}, alignment, {}, {});
  REQUIRE(matches.has_value());
  REQUIRE_FALSE(matches->empty());
  CHECK(matches->front().in_part);
}

}  // namespace pedigree
