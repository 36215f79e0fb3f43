#include <doctest/doctest.h>

#include "tests/unit/compare/merge_family.h"

using namespace pedigree;
using namespace pedigree::made;

namespace {

struct Siblings : Family {
  Weights a = rounded(noise(0.04));
  Weights p = tuned();
  Weights q = tuned();
  Fingerprint base = sketch("A", a);
  Fingerprint first = sketch("P", p);
  Fingerprint second = sketch("Q", q);

  Weights tuned() {
    const Weights change = noise(0.003);
    return rounded(sum({{1, &a}, {1, &change}}));
  }

  // Layer i of the result is layer i of the first where `from_first` says so.
  Weights layers_of(const std::vector<bool>& from_first) const {
    return mixed([&](std::size_t i) { return from_first[i / layer_size()] ? p[i] : q[i]; }, size());
  }
};

Fingerprint with_layer(Fingerprint into, int at, const Fingerprint& from, int layer) {
  for (const Block& block : from.blocks) {
    if (block.layer != layer) continue;
    Block copy = block;
    copy.layer = at;
    std::erase_if(into.blocks,
                  [&](const Block& b) { return b.layer == at && b.role == copy.role; });
    into.blocks.push_back(std::move(copy));
  }
  std::ranges::sort(into.blocks, {}, [](const Block& b) { return std::tuple(b.layer, b.role); });
  return into;
}

}  // namespace

TEST_CASE("layers of two siblings, each in its place, are a merge without a direction") {
  Siblings made;
  const auto found = joint_of(sketch("M", made.layers_of({true, false, true, false})),
                              {&made.first, &made.base, &made.second});
  REQUIRE(method_of(found) == "merge passthrough");
  CHECK(weight_of(*found, "P") == doctest::Approx(0.5));
  CHECK(weight_of(*found, "Q") == doctest::Approx(0.5));
  CHECK(found->direction == "undetermined");
  CHECK(found->unneeded == std::vector<std::string>{"A"});
  for (const JointPart& part : found->parts) {
    CHECK(part.weights[part.layer % 2 == 0 ? 0 : 1] == 1);
    CHECK(part.from == part.layer);
  }
}

TEST_CASE("layers stacked from two models were put together from them") {
  Siblings made;
  Fingerprint stacked = sketch("M", made.p, "BF16", {0, 1, 2, 3, 0, 1});
  stacked = with_layer(stacked, 4, made.second, 2);
  stacked = with_layer(stacked, 5, made.second, 3);
  const auto found = joint_of(stacked, {&made.first, &made.second});
  REQUIRE(method_of(found) == "merge passthrough");
  CHECK(found->direction == "base-is-parent");
  CHECK(weight_of(*found, "Q") == doctest::Approx(2.0 / 6));
}

TEST_CASE("a common ancestor of two partial fine-tunes is no merge of them") {
  Siblings made;
  const Fingerprint early = with_layer(made.base, 0, made.first, 0);
  const Fingerprint late = with_layer(made.base, 3, made.second, 3);
  Fingerprint one = early;
  Fingerprint two = late;
  one.name = "early";
  two.name = "late";
  const auto found = joint_of(made.base, {&one, &two});
  REQUIRE(found.has_value());
  CHECK(found->relation == "inconclusive");
  CHECK(found->parents.empty());
}

TEST_CASE("a partial fine-tune is no merge of its base and a sibling") {
  Siblings made;
  const Fingerprint child = with_layer(made.base, 3, made.first, 3);
  CHECK(method_of(joint_of(child, {&made.base, &made.second})) == "nothing");
}
