#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "compare/kind.h"
#include "tensor/element_types.h"

namespace pedigree {
namespace {

// A base, and the base rounded to multiples of a step, drifted by `drift` steps
// before the rounding.
Change quantised(double step, double drift, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Change change{.role = "ffn.up", .subject_layer = 0, .base_layer = 0};
  change.subject = Matrix(32, 32);
  change.base = Matrix(32, 32);
  change.subject_steps = Matrix(32, 32);
  change.subject_type = change.base_type = find_element_type("F32");
  for (std::size_t i = 0; i < change.base.values.size(); ++i) {
    change.base.values[i] = normal(random);
    const double source = change.base.values[i] + drift * step * normal(random);
    change.subject.values[i] = step * std::round(source / step);
    change.subject_steps.values[i] = step;
  }
  return change;
}

}  // namespace

TEST_CASE("a quantised copy lies within half a step everywhere") {
  const auto fit = lattice_fit({quantised(0.2, 0, 1)});
  REQUIRE(fit.has_value());
  CHECK(fit->worst_share == 1.0);
}

TEST_CASE("a quantised sibling leaves half a step often") {
  const auto fit = lattice_fit({quantised(0.2, 0.2, 2)});
  REQUIRE(fit.has_value());
  CHECK(fit->worst_share < 0.97);
}

TEST_CASE("one drifted matrix among many copies spoils the fit") {
  const auto fit = lattice_fit({quantised(0.2, 0, 1), quantised(0.2, 0.2, 2)});
  REQUIRE(fit.has_value());
  CHECK(fit->worst_share < 0.97);
}

TEST_CASE("without a lattice, or with the same one on both sides, nothing is fitted") {
  Change plain = quantised(0.2, 0, 1);
  plain.subject_steps = Matrix{};
  CHECK_FALSE(lattice_fit({plain}).has_value());
  Change both = quantised(0.2, 0, 1);
  both.base_steps = both.subject_steps;
  CHECK_FALSE(lattice_fit({both}).has_value());
}

}  // namespace pedigree
