#include "compare/recovered_basis.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "compare/compare.h"
#include "fingerprint/coupling_strengths.h"
#include "tests/support/tiny_decoder.h"

namespace pedigree {
namespace {

struct Written {
  std::unique_ptr<ModelDirectory> directory;
  std::unique_ptr<Model> model;
};

Written written(const TinyDecoder& decoder) {
  Written result{.directory = decoder.written("tiny"), .model = nullptr};
  auto model = open_model(result.directory->path());
  REQUIRE(model.has_value());
  result.model = std::move(*model);
  return result;
}

Matrix gate_rows(const Model& model, int layer) {
  auto neurons = coupled_neurons(model, {.layers = {layer}});
  REQUIRE(neurons.has_value());
  return std::move(neurons->front().first);
}

Verdict verdict_of(const TinyDecoder& subject, const TinyDecoder& base) {
  const Written mine = written(subject);
  const Written theirs = written(base);
  const auto sketch = make_fingerprint(*mine.model);
  const auto other = make_fingerprint(*theirs.model);
  REQUIRE(sketch.has_value());
  REQUIRE(other.has_value());
  return compare({.sketch = *sketch, .weights = mine.model.get()},
                 {.sketch = *other, .weights = theirs.model.get()})
      .verdict;
}

}  // namespace

TEST_CASE("common tokens take a rotation and folded gains back") {
  const TinyDecoder base(true, 31);
  TinyDecoder subject = base;
  subject.rotate_residual(32);
  const Written mine = written(subject);
  const Written theirs = written(base);
  const auto basis = RecoveredBasis::find(*mine.model, *theirs.model, 1);
  REQUIRE(basis.has_value());
  REQUIRE(basis->has_value());
  CHECK((*basis)->tokens() == TinyDecoder::vocab);
  const Matrix wanted = gate_rows(*theirs.model, 2);
  const Matrix found = (*basis)->turned_back(gate_rows(*mine.model, 2));
  REQUIRE(found.values.size() == wanted.values.size());
  double largest = 0;
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    largest = std::max(largest, std::abs(found.values[i] - wanted.values[i]));
  }
  CHECK(largest < 1e-4);  // rows have values around 0.05
}

TEST_CASE("models of other widths have no basis in common") {
  const Written mine = written(TinyDecoder(true, 33));
  const auto other = open_model(PEDIGREE_FIXTURES "/models/A");
  REQUIRE(other.has_value());
  const auto basis = RecoveredBasis::find(*mine.model, **other, 1);
  REQUIRE(basis.has_value());
  CHECK_FALSE(basis->has_value());
}

// What two trainings from one seed leave: rows with a cosine of a half or less.
TEST_CASE("a rotated, re-dealt model of a common seed is not called independent") {
  for (const double noise : {1.5, 2.0}) {
    CAPTURE(noise);
    const TinyDecoder base(true, 34);
    TinyDecoder subject = base;
    subject.add_noise(noise, 35);
    subject.rotate_residual(36);
    subject.permute_neurons(37);
    const Verdict verdict = verdict_of(subject, base);
    CHECK_MESSAGE(verdict.derived != "no", verdict.summary);
    CHECK(verdict.stage != "couplings");
  }
}

}  // namespace pedigree
