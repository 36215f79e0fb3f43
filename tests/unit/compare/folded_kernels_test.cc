#include "compare/folded_kernels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace pedigree {
namespace {

using Floats = std::vector<float>;

OutputFactors factors_of(const OutputAxis& axis, std::vector<double> factors) {
  return {.axis = axis, .factor = [factors = std::move(factors)](std::uint64_t output) {
            return factors[output];
          }};
}

TEST_CASE("outputs lie along the first axis, the second or the last") {
  const std::vector<std::uint64_t> shape = {4, 6, 3, 5};
  const auto axes = output_axes(shape);
  REQUIRE(axes.size() == 3);
  CHECK((axes[0].outputs == 4 && axes[0].run == 90));
  CHECK((axes[1].outputs == 6 && axes[1].run == 15));
  CHECK((axes[2].outputs == 5 && axes[2].run == 1));
}

TEST_CASE("a product is told along whichever axis its factors lie") {
  const Floats values = {1, 2, 3, 4};
  const OutputAxis rows = {.outputs = 2, .run = 2};
  const OutputAxis cols = {.outputs = 2, .run = 1};
  const double exact = rounding_tolerance(24);
  CHECK(are_products(values, Floats{2, 4, -3, -4}, factors_of(rows, {2, -1}), exact));
  CHECK(are_products(values, Floats{2, -2, 6, -4}, factors_of(cols, {2, -1}), exact));
  CHECK_FALSE(are_products(values, Floats{2, -2, 6, -4}, factors_of(rows, {2, -1}), exact));
  CHECK_FALSE(are_products(values, Floats{2, 4, -3, -4.00001F}, factors_of(rows, {2, -1}), exact));
}

TEST_CASE("no number that is none agrees with anything") {
  const float none = std::numeric_limits<float>::quiet_NaN();
  const OutputAxis axis = {.outputs = 1, .run = 2};
  CHECK_FALSE(are_products(Floats{none, 1}, Floats{none, 1}, factors_of(axis, {1}), 0.1));
  CHECK_FALSE(are_products(Floats{1, 1}, Floats{1, 1}, factors_of(axis, {std::nan("")}), 0.1));
  CHECK_FALSE(are_alike(Floats{none, 1}, Floats{none, 1}, 0.1));
}

TEST_CASE("agreeing zeros and coarse numbers are worth nothing") {
  CHECK(log10_chance_alike(Floats(1000, 0.0F), rounding_tolerance(24)) == 0);
  CHECK(log10_chance_alike(Floats(1000, 1.0F), rounding_tolerance(4)) == 0);
  CHECK(log10_chance_alike(Floats(2, 1.0F), rounding_tolerance(24)) ==
        doctest::Approx(2 * std::log10(48 * std::ldexp(1.0, -24))));
}

}  // namespace
}  // namespace pedigree
