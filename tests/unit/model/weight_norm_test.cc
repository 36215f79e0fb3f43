// Weights stored as directions and lengths: values by hand, and what is left alone.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/unit/model/packed_model.h"

namespace pedigree {
namespace {

using Floats = std::vector<float>;

// Two outputs: lengths 5 and 13 of what is stored, 10 and 6.5 of what it stands for.
const Floats directions = {3, 0, 0, 4, 0, 5, 12, 0};
const Floats lengths = {10, 6.5F};
const Floats weights = {6, 0, 0, 8, 0, 2.5F, 6, 0};

TEST_CASE("directions are scaled to the lengths beside them, output by output") {
  PackedModel hook;
  hook.tensor("conv.weight_v", "F32", {2, 2, 2}, floats(directions))
      .tensor("conv.weight_g", "F32", {2, 1, 1}, floats(lengths));
  CHECK(hook.values().value() == weights);
  const auto model = hook.open();
  CHECK(model->packed.front().name == "conv.weight");
  CHECK(model->packed.front().shape == std::vector<std::uint64_t>{2, 2, 2});
  CHECK(model->parameters == 8);
  CHECK(hook.problems().empty());
}

TEST_CASE("the parametrisation's names are those of the hook under another roof") {
  PackedModel model;
  model.tensor("up.parametrizations.weight.original0", "F32", {2, 1}, floats(lengths))
      .tensor("up.parametrizations.weight.original1", "F32", {2, 4}, floats(directions));
  CHECK(model.values().value() == weights);
  CHECK(model.open()->packed.front().name == "up.weight");
}

TEST_CASE("lengths may be those of another axis, or one for all") {
  PackedModel last;
  last.tensor("pos.weight_v", "F32", {2, 1, 2}, floats({3, 5, 4, 12}))
      .tensor("pos.weight_g", "F32", {1, 1, 2}, floats({10, 26}));
  CHECK(last.values().value() == Floats{6, 10, 8, 24});
  PackedModel middle;
  middle.tensor("mid.weight_v", "F32", {2, 2, 2}, floats({3, 0, 0, 5, 0, 4, 12, 0}))
      .tensor("mid.weight_g", "F32", {1, 2, 1}, floats({5, 13}));
  CHECK(middle.values().value() == Floats{3, 0, 0, 5, 0, 4, 12, 0});
  PackedModel whole;
  whole.tensor("all.weight_v", "F32", {2, 2}, floats({1, 1, 1, 1}))
      .tensor("all.weight_g", "F32", {}, floats({6}));
  CHECK(whole.values().value() == Floats{3, 3, 3, 3});
}

TEST_CASE("any part of a matrix reads as it does in the whole") {
  Floats v(3 * 40);
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i % 7) - 3.25F;
  PackedModel packed;
  packed.tensor("a.weight_v", "F32", {3, 40}, floats(v))
      .tensor("a.weight_g", "F32", {3, 1}, floats({1, 2, 3}));
  const auto model = packed.open();
  const auto all = packed.values().value();
  const std::vector<std::uint64_t> rows = {2, 0};
  const std::vector<std::uint64_t> cols = {39, 5, 6};
  const auto part = read_block(*model, PackedModel::whole(*model), rows, cols).value();
  CHECK(part == Floats{all[119], all[85], all[86], all[39], all[5], all[6]});
  CHECK_FALSE(has_steps(*model, PackedModel::whole(*model)));
}

TEST_CASE("a direction of zeros stays so") {
  PackedModel model;
  model.tensor("a.weight_v", "F32", {2, 2}, floats({0, 0, 3, 4}))
      .tensor("a.weight_g", "F32", {2, 1}, floats({7, 10}));
  CHECK(model.values().value() == Floats{0, 0, 6, 8});
}

TEST_CASE("what only looks like directions and lengths is left as it is") {
  const auto packed = [](PackedModel& model) { return model.open()->packed.size(); };
  PackedModel other_size;
  other_size.tensor("a.weight_v", "F32", {2, 4}, floats(directions))
      .tensor("a.weight_g", "F32", {4, 2}, floats(directions));
  CHECK(packed(other_size) == 0);
  PackedModel two_axes;
  two_axes.tensor("a.weight_v", "F32", {2, 2, 2}, floats(directions))
      .tensor("a.weight_g", "F32", {2, 2, 1}, floats({1, 2, 3, 4}));
  CHECK(packed(two_axes) == 0);
  PackedModel alone;
  alone.tensor("a.weight_v", "F32", {2, 4}, floats(directions));
  CHECK(packed(alone) == 0);
  PackedModel not_a_weight;  // values of an attention beside its gate
  not_a_weight.tensor("attn_v", "F32", {2, 4}, floats(directions))
      .tensor("attn_g", "F32", {2, 1}, floats(lengths));
  CHECK(packed(not_a_weight) == 0);
  PackedModel integers;
  integers.tensor("a.weight_v", "I32", {2, 4}, floats(directions))
      .tensor("a.weight_g", "F32", {2, 1}, floats(lengths));
  CHECK(packed(integers) == 0);
}

}  // namespace
}  // namespace pedigree
