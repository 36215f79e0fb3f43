#include "compare/merge_entries.h"

#include <doctest/doctest.h>

#include <cmath>

#include "compare/merge_changes.h"
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
  double change_of_p(std::size_t i) const { return p[i] - a[i]; }
  double change_of_q(std::size_t i) const { return q[i] - a[i]; }
};

}  // namespace

TEST_CASE("the most covered place lies inside all the intervals that cover it") {
  const Stabbing found =
      most_covered({{0, 1}, {0.5, 2}, {0.75, 0.875}, {3, 4}, {3.5, 5}, {-1, 0.25}});
  CHECK(found.count == 3);
  CHECK(found.place == doctest::Approx(0.8125));
  CHECK(most_covered({}).count == 0);
}

TEST_CASE("DARE's random masks are told with both factors and shares") {
  Siblings made;
  std::bernoulli_distribution half(0.5);
  const Weights merged = mixed(
      [&](std::size_t i) {
        const double x = half(made.random) ? 2 * made.change_of_p(i) : 0;
        const double y = half(made.random) ? 2 * made.change_of_q(i) : 0;
        return made.a[i] + 0.6 * x + 0.4 * y;
      },
      made.size());
  const auto found = joint_of(sketch("M", merged), {&made.first, &made.second, &made.base});
  REQUIRE(method_of(found) == "merge dare-linear");
  CHECK(found->base->name == "A");
  CHECK(weight_of(*found, "P") == doctest::Approx(0.6).epsilon(0.03));
  CHECK(weight_of(*found, "Q") == doctest::Approx(0.4).epsilon(0.03));
  CHECK(*found->parents[0].kept == doctest::Approx(0.5).epsilon(0.03));
  CHECK(found->direction == "base-is-parent");
}

TEST_CASE("TIES keeps the large changes and averages those that agree in sign") {
  Siblings made;
  const double smallest = 0.003 * 0.6745;  // half of a normal lies above it
  const Weights merged = mixed(
      [&](std::size_t i) {
        const double x = std::abs(made.change_of_p(i)) >= smallest ? made.change_of_p(i) : 0;
        const double y = std::abs(made.change_of_q(i)) >= smallest ? made.change_of_q(i) : 0;
        const double elected = 0.7 * x + 0.3 * y;
        const double wx = x * elected > 0 ? 0.7 : 0;
        const double wy = y * elected > 0 ? 0.3 : 0;
        return made.a[i] + (wx + wy > 0 ? (wx * x + wy * y) / (wx + wy) : 0);
      },
      made.size());
  const auto found = joint_of(sketch("M", merged), {&made.first, &made.base, &made.second});
  REQUIRE(method_of(found) == "merge ties");
  CHECK(found->base->name == "A");
  CHECK(weight_of(*found, "P") == doctest::Approx(0.7).epsilon(0.03));
  CHECK(weight_of(*found, "Q") == doctest::Approx(0.3).epsilon(0.03));
}

TEST_CASE("an early state of a training too coarse to move twice is no merge") {
  Siblings made;
  std::bernoulli_distribution early(0.5);
  const Weights between =
      mixed([&](std::size_t i) { return early(made.random) ? made.p[i] : made.a[i]; }, made.size());
  const auto found = joint_of(sketch("S", between), {&made.base, &made.first});
  REQUIRE(found.has_value());
  CHECK(found->relation == "inconclusive");
  CHECK(found->parents.empty());
}

TEST_CASE("the base of a DARE merge is no merge of it") {
  Siblings made;
  std::bernoulli_distribution half(0.5);
  const Weights merged = mixed(
      [&](std::size_t i) { return made.a[i] + (half(made.random) ? 2 * made.change_of_p(i) : 0); },
      made.size());
  const Fingerprint merge = sketch("M", merged);
  const auto found = joint_of(made.base, {&merge, &made.first});
  CHECK((!found || found->relation == "inconclusive"));
}
