#include "compare/family_copies.h"

#include <doctest/doctest.h>

#include "tests/unit/compare/kin_family.h"

using namespace pedigree;
using namespace pedigree::test;

TEST_CASE("of equal copies the one of the coarsest type stands for all") {
  KinFamily family;
  const auto widened = family.add({0, 0});
  const auto base = family.add({0, 0});
  family.model(widened).precision = 24;
  family.equal(widened, base);
  const KinGraph graph = family.graph();
  const FamilyCopies copies(graph);
  CHECK(copies.stands_for(widened) == base);
  CHECK(copies.stands_for(base) == base);
  CHECK(copies.parent(widened) == FamilyCopies::nobody);
}

TEST_CASE("a copy with a proven direction has a parent, and the parent has none") {
  KinFamily family;
  const auto base = family.add({0, 0});
  const auto quantised = family.add({0.1, 0});
  family.copy(base, quantised);
  const KinGraph graph = family.graph();
  const FamilyCopies copies(graph);
  CHECK(copies.parent(quantised) == base);
  CHECK(copies.parent(base) == FamilyCopies::nobody);
}

TEST_CASE("what does not carry a copy's changes may not hang on it") {
  KinFamily family;
  const auto base = family.add({0, 0, 0});
  const auto quantised = family.add({0.1, 0, 0});
  const auto tuned = family.add({0, 1, 0});
  family.copy(base, quantised);
  const KinGraph graph = family.graph();
  const FamilyCopies copies(graph);
  CHECK(copies.may_touch(quantised, base));
  CHECK_FALSE(copies.may_touch(quantised, tuned));
  CHECK(copies.may_touch(base, tuned));
}

TEST_CASE("a copy of a copy hangs on the nearest") {
  KinFamily family;
  const auto base = family.add({0, 0});
  const auto first = family.add({0.1, 0});
  const auto second = family.add({0.1, 0.1});
  family.copy(base, first);
  family.copy(first, second);
  const KinGraph graph = family.graph();
  const FamilyCopies copies(graph);
  CHECK(copies.parent(second) == first);
  CHECK(copies.parent(first) == base);
}

TEST_CASE("shares that two samples would tell apart by chance alone are the same grade") {
  CHECK(graded(0.51) == graded(0.49));
  CHECK(graded(0.6) > graded(0.5));
}
