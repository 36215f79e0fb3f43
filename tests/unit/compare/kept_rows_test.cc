#include "compare/kept_rows.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "tensor/element_types.h"

namespace pedigree {
namespace {

const ElementType& bf16() { return *find_element_type("BF16"); }

double rounded(double value) { return rounded_to(bf16(), static_cast<float>(value)); }

std::vector<double> stored_row(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 0.05);
  std::vector<double> row(64);
  for (double& value : row) value = rounded(normal(random));
  return row;
}

std::vector<double> times(std::vector<double> row, double factor) {
  for (double& value : row) value = rounded(value * factor);
  return row;
}

bool kept(const std::vector<double>& a, const std::vector<double>& b) {
  return is_kept_row(a, b, {.first = &bf16(), .second = &bf16()});
}

}  // namespace

TEST_CASE("a row that only shrank is kept, whichever side it is on, but not equal") {
  const auto before = stored_row(1);
  const auto after = times(before, 0.9);
  CHECK(kept(after, before));
  CHECK(kept(before, after));
  CHECK_FALSE(is_equal_row(before, after));
  CHECK(is_equal_row(before, before));
}

TEST_CASE("a row in which single values moved is not kept") {
  const auto before = stored_row(2);
  auto after = before;
  after[7] *= 1.25;
  CHECK_FALSE(kept(after, before));
}

TEST_CASE("a row of another sign is no multiple that training leaves") {
  const auto before = stored_row(3);
  CHECK_FALSE(kept(times(before, -1), before));
}

TEST_CASE("constants and zeros are no signature") {
  const std::vector<double> zeros(64, 0.0);
  const std::vector<double> constant(64, 0.5);
  CHECK_FALSE(is_informative_row(zeros));
  CHECK_FALSE(is_informative_row(constant));
  CHECK_FALSE(is_equal_row(constant, constant));
  CHECK_FALSE(kept(zeros, zeros));
}

TEST_CASE("rows of unequal length are never kept") {
  auto longer = stored_row(4);
  const auto row = longer;
  longer.push_back(1);
  CHECK_FALSE(kept(longer, row));
  CHECK_FALSE(is_equal_row(longer, row));
}

TEST_CASE("the step of a stored value is that of its binade, down to the smallest") {
  CHECK(stored_step(1.0, &bf16(), 24) == 0x1p-7);
  CHECK(stored_step(1.5, &bf16(), 24) == 0x1p-7);
  CHECK(stored_step(0.75, &bf16(), 24) == 0x1p-8);
  CHECK(stored_step(1.0, find_element_type("F32"), 11) == 0x1p-10);
  CHECK(stored_step(0.0, find_element_type("F16"), 24) == 0x1p-24);
}

TEST_CASE("a pattern counts rows that exactly two of three hold equal") {
  RowPattern pattern;
  pattern.add(true, true, true);    // held by all
  pattern.add(true, false, false);  // first and third
  pattern.add(false, true, false);  // second and third
  pattern.add(false, true, false);
  pattern.add(false, false, true);  // against the third
  pattern.add(false, false, false);
  CHECK(pattern.with_first == 1);
  CHECK(pattern.with_second == 2);
  CHECK(pattern.against == 1);
}

}  // namespace pedigree
