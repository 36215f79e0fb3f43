#include "compare/kinship.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "compare/kin_pair.h"
#include "tensor/element_types.h"

namespace pedigree {
namespace {

constexpr std::size_t side = 32;

Block block(const char* role, int layer, std::mt19937& random) {
  std::normal_distribution<float> normal(0, 0.05F);
  Block made{
      .role = role, .layer = layer, .full_rows = side, .full_cols = side, .element_type = "BF16"};
  const ElementType& type = *find_element_type("BF16");
  for (std::size_t i = 0; i < side; ++i) {
    made.rows.push_back(i);
    made.cols.push_back(i);
  }
  for (std::size_t i = 0; i < side * side; ++i) {
    made.values.push_back(rounded_to(type, normal(random)));
  }
  return made;
}

Fingerprint model(unsigned seed) {
  std::mt19937 random(seed);
  Fingerprint sketch{.scheme = "test"};
  sketch.architecture.layers = 1;
  for (const char* role : {"attn.q", "attn.v", "ffn.gate", "ffn.up"}) {
    sketch.blocks.push_back(block(role, 0, random));
  }
  return sketch;
}

Block& of(Fingerprint& sketch, std::string_view role) {
  return *std::ranges::find(sketch.blocks, role, &Block::role);
}

Kinship between(const Fingerprint& a, const Fingerprint& b) { return kinship_of(a, b, {{0, 0}}); }

void add_noise(Block& block, float size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, size);
  for (float& value : block.values) value += normal(random);
}

}  // namespace

TEST_CASE("a model is the same as itself, at no distance") {
  const Fingerprint a = model(1);
  const Kinship kinship = between(a, a);
  CHECK(kinship.same);
  CHECK(kinship.unmoved);
  CHECK(kinship.distance() == 0);
  CHECK(kinship.changed_rows() == 0);
  CHECK(kinship.rows == 4 * side);
}

TEST_CASE("trained rows count as changed, and the distance is relative and squared") {
  // Noise a tenth as large in one of four equal blocks: 0.01 / 4.
  const Fingerprint a = model(1);
  Fingerprint b = a;
  add_noise(of(b, "attn.q"), 0.005F, 7);
  const Kinship kinship = between(a, b);
  CHECK(kinship.changed_rows() == doctest::Approx(0.25));
  CHECK(kinship.distance() == doctest::Approx(0.0025).epsilon(0.1));
  CHECK_FALSE(kinship.same);
  CHECK_FALSE(kinship.unmoved);
}

TEST_CASE("re-dealt neurons leave the feed-forward part unaligned and the rest measured") {
  const Fingerprint a = model(1);
  Fingerprint b = a;
  Fingerprint other = model(2);
  for (const char* role : {"ffn.gate", "ffn.up"}) of(b, role) = of(other, role);
  const Kinship kinship = between(a, b);
  CHECK_FALSE(kinship.part(ModelPart::feed_forward).aligned);
  CHECK(kinship.part(ModelPart::attention).aligned);
  CHECK(kinship.changed_rows() == 0);
  CHECK(kinship.unmoved);
  CHECK_FALSE(kinship.same);
}

TEST_CASE("strangers are not measured") {
  const Kinship kinship = between(model(1), model(2));
  CHECK_FALSE(kinship.measured());
  CHECK(kinship.changed_rows() == 1);
  CHECK(kinship.distance() == 2);
}

TEST_CASE("only equal samples of equal shapes are one chart") {
  const Fingerprint a = model(1);
  Fingerprint b = model(2);
  CHECK(same_places(a, b));
  of(b, "attn.q").rows[0] = 40;
  CHECK_FALSE(same_places(a, b));
}

TEST_CASE("products of three models follow from the sums of one chart") {
  const Fingerprint a = model(1);
  Fingerprint b = a;
  add_noise(of(b, "attn.q"), 0.01F, 3);
  const KinModel first = kin_model(a);
  const KinModel second = kin_model(b);
  const KinPair pair = kin_pair(a, b, {});
  const auto at = static_cast<std::size_t>(ModelPart::attention);
  double product = 0;
  for (const char* role : {"attn.q", "attn.v"}) {
    const Block* x = a.block(role, 0);
    const Block* y = b.block(role, 0);
    for (std::size_t i = 0; i < x->values.size(); ++i) {
      product += static_cast<double>(x->values[i]) * static_cast<double>(y->values[i]);
    }
  }
  CHECK((first.squares[at] + second.squares[at] - pair.squares[at]) / 2 ==
        doctest::Approx(product));
}

TEST_CASE("copies are told from trained models by their mechanisms and their values") {
  Comparison comparison;
  comparison.verdict.derived = "yes";
  comparison.verdict.mechanisms = {"pruned"};
  CHECK_FALSE(is_copy(comparison));  // no values were set against each other
  comparison.change = {{.role = "attn.q", .layer = 0, .relative_delta = 0, .exact = true}};
  CHECK(is_copy(comparison));
  comparison.verdict.direction = "base-is-parent";
  CHECK(copy_direction(comparison) == LinkDirection::first_is_parent);
  comparison.verdict.mechanisms = {"pruned", "finetune"};
  comparison.change[0] = {.role = "attn.q", .layer = 0, .relative_delta = 0.1};
  CHECK_FALSE(is_copy(comparison));
  CHECK(copy_direction(comparison) == LinkDirection::unknown);
}

}  // namespace pedigree
