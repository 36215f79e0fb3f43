#include "compare/width.h"

#include <doctest/doctest.h>

namespace pedigree {
namespace {

Architecture architecture(std::uint64_t hidden, std::uint64_t heads, std::uint64_t ffn) {
  Architecture result;
  result.hidden = hidden;
  result.heads = heads;
  result.ffn = ffn;
  return result;
}

}  // namespace

TEST_CASE("a partner has to be alike enough, clearly ahead, and nobody's better one") {
  Matrix cosines(5, 6);
  cosines.at(0, 3) = 0.9;  // plain
  cosines.at(1, 2) = 0.3;  // too low
  cosines.at(2, 0) = 0.8;  // no lead
  cosines.at(2, 1) = 0.75;
  cosines.at(3, 5) = 0.6;  // row 4 has more right to it
  cosines.at(4, 5) = 0.7;
  CHECK(clear_partners(cosines, 0.35, 0.1) == NeuronPairs{{0, 3}, {4, 5}});
}

TEST_CASE("kept shares are of the wider side, and who lacks what is told apart") {
  Descent descent;
  descent.reparametrised = true;
  descent.transforms = {"rotate"};
  Width width;
  width.dimensions = {.subject = {0, 1, 2}, .base = {0, 2, 3}};
  width.kept_dimensions = {.out_of = 64, .looked_up = 64, .found = 62, .longest_run = 62};
  width.kept_heads = {.out_of = 2, .looked_up = 8, .found = 8};
  width.kept_neurons = {.out_of = 256, .looked_up = 256, .found = 160};
  const auto evidence =
      take_width(descent, width, architecture(64, 2, 256), architecture(96, 4, 160));
  REQUIRE(descent.kept.has_value());
  CHECK(descent.kept->hidden == doctest::Approx(0.6667));
  CHECK(descent.kept->heads == 0.5);
  CHECK(descent.kept->ffn == 0.625);  // 160 of the subject's 256, and all of the base's
  CHECK(descent.subject_lacks == std::set<std::string>{"heads", "residual dimensions"});
  CHECK(descent.base_lacks == std::set<std::string>{"neurons"});
  CHECK_FALSE(descent.reparametrised);
  CHECK(descent.transforms.empty());
  CHECK(descent.alignment.by_width());
  REQUIRE(evidence.size() == 1);
  // C(64, 62) / 62!
  CHECK(*evidence[0].log10_p == doctest::Approx(-82.1932).epsilon(1e-4));
}

TEST_CASE(
    "where a tenth found no partner the share says so, where less did they were trained away") {
  for (const auto& [found, share] : {std::pair<std::size_t, double>{95, 0.5}, {80, 0.4}}) {
    Descent descent;
    Width width;
    width.dimensions = {.subject = {0}, .base = {0}};
    width.kept_dimensions = {.out_of = 100, .looked_up = 100, .found = found, .longest_run = found};
    take_width(descent, width, architecture(100, 4, 8), architecture(200, 4, 8));
    CHECK(descent.kept->hidden == share);
  }
}

TEST_CASE("heads that were never looked up are not said to be lacking") {
  Descent descent;
  Width width;
  width.dimensions = {.subject = {0}, .base = {0}};
  width.kept_dimensions = {.out_of = 64, .looked_up = 64, .found = 64, .longest_run = 64};
  take_width(descent, width, architecture(64, 8, 128), architecture(96, 4, 128));
  CHECK(descent.base_lacks.empty());
  CHECK(descent.subject_lacks == std::set<std::string>{"residual dimensions"});
}

TEST_CASE("one hidden size and heads cut differently are no narrower model") {
  Fingerprint four;
  four.architecture = architecture(48, 4, 128);
  four.architecture.head_dim = 12;
  const Model weights;
  for (const auto& [heads, size] :
       {std::pair<std::uint64_t, std::uint64_t>{8, 6}, {1, 48}, {7, 0}, {0, 0}}) {
    Fingerprint other = four;
    other.architecture.heads = heads;
    other.architecture.head_dim = size;
    for (const auto& [subject, base] : {std::pair{&four, &other}, {&other, &four}}) {
      const auto width = find_width({.sketch = *subject, .weights = &weights},
                                    {.sketch = *base, .weights = &weights}, {{0, 0}}, 1);
      REQUIRE(width.has_value());
      CHECK_FALSE(width->has_value());
    }
  }
}

}  // namespace pedigree
