#include "compare/family_order.h"

#include <doctest/doctest.h>

using namespace pedigree;

namespace {

using Numbers = std::vector<std::size_t>;
constexpr auto unknown = LinkDirection::unknown;
constexpr auto first = LinkDirection::first_is_parent;
constexpr auto second = LinkDirection::second_is_parent;

// 0 with children or parents 1, 2, and 3 behind 1.
ConnectedFamily small_family() {
  return {
      .members = {0, 1, 2, 3},
      .links = {{.first = 0, .second = 1}, {.first = 0, .second = 2}, {.first = 1, .second = 3}}};
}

}  // namespace

TEST_CASE("without a known direction any model may be the oldest") {
  const FamilyOrder order = order_of(small_family(), {unknown, unknown, unknown});
  CHECK(order.roots == Numbers{0, 1, 2, 3});
  CHECK(order.drawn == Numbers{0});  // of two with two links the first
}

TEST_CASE("a known direction rules out the child and all behind it") {
  const FamilyOrder order = order_of(small_family(), {first, unknown, unknown});
  CHECK(order.roots == Numbers{0, 2});
}

TEST_CASE("a known parent at the edge is the only root") {
  const FamilyOrder order = order_of(small_family(), {unknown, unknown, second});
  CHECK(order.roots == Numbers{3});
  CHECK(order.drawn == Numbers{3});
}

TEST_CASE("directions that contradict each other leave no root, and something to draw") {
  const FamilyOrder order = order_of(small_family(), {second, second, unknown});
  CHECK(order.roots.empty());
  CHECK(order.drawn == Numbers{0});
}

TEST_CASE("a merge ties two trees together, and each has its own roots") {
  const ConnectedFamily family{
      .members = {0, 1, 2, 3},
      .links = {{.first = 0, .second = 1},
                {.first = 0, .second = 3, .kind = FamilyLink::Kind::joint},
                {.first = 2, .second = 3, .kind = FamilyLink::Kind::joint}}};
  const FamilyOrder order = order_of(family, {first, first, first});
  CHECK(order.roots == Numbers{0, 2});
  CHECK(order.drawn == Numbers{0, 2, 3});
}

TEST_CASE("a model alone is its own root") {
  const FamilyOrder order = order_of({.members = {7}}, {});
  CHECK(order.roots == Numbers{7});
  CHECK(order.drawn == Numbers{7});
}

TEST_CASE("a missing model is drawn first when it has the most links") {
  const ConnectedFamily family{
      .members = {0, 1, 2},
      .missing = {3},
      .links = {{.first = 3, .second = 0, .kind = FamilyLink::Kind::missing},
                {.first = 3, .second = 1, .kind = FamilyLink::Kind::missing},
                {.first = 3, .second = 2, .kind = FamilyLink::Kind::missing}}};
  CHECK(order_of(family, {unknown, unknown, unknown}).drawn == Numbers{3});
}
