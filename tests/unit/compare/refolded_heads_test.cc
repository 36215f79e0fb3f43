#include "compare/refolded_heads.h"

#include <doctest/doctest.h>

namespace pedigree {

TEST_CASE("training moves a product by more than its factors, a refolding does not") {
  // Two factors changed by a tenth each: 0.01 + 0.01 squared, and their product 0.02.
  const Products trained{.before = 0.02, .after = 0.02, .size = 1};
  CHECK_FALSE(is_refolded(trained));
  // Factors doubled and halved, 1 + 0.25 squared; the product rounds to eight bits.
  const Products scaled{.before = 1.25, .after = 2 * 0.003 * 0.003, .size = 1};
  CHECK(is_refolded(scaled));
  CHECK(scaled.left() == doctest::Approx(0.003));
}

TEST_CASE("a refolding beside training is told as long as it moves the factors more") {
  const Products both{.before = 2.0, .after = 0.02, .size = 1};
  CHECK(is_refolded(both));
  CHECK(both.left() == doctest::Approx(0.1));
  const Products little{.before = 0.03, .after = 0.02, .size = 1};
  CHECK_FALSE(is_refolded(little));
}

TEST_CASE("what rounding moves is no refolding") {
  const Products rounding{.before = 2 * 0.003 * 0.003, .after = 0, .size = 1};
  CHECK_FALSE(is_refolded(rounding));
  CHECK_FALSE(is_refolded(Products{}));
}

}  // namespace pedigree
