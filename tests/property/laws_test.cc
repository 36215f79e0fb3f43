// Laws of statistics.md section 10 that hold for any input, checked on inputs
// drawn by rapidcheck; a failure prints the seed that repeats it.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/json.h"
#include "base/text.h"
#include "compare/bounds.h"
#include "compare/pairing.h"
#include "compare/witness.h"
#include "fingerprint/sampling.h"
#include "tensor/element_types.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

Matrix random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Matrix matrix(rows, cols);
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

Witness random_witness(std::size_t units, std::uint64_t seed, double likeness) {
  View view{.subject = random_matrix(units, 40, seed), .base = random_matrix(units, 40, seed + 1)};
  for (std::size_t i = 0; i < view.subject.values.size(); ++i) {
    view.subject.values[i] += likeness * view.base.values[i];
  }
  return {.views = {view}, .units = units};
}

Matrix rows_in_order(const Matrix& matrix, const std::vector<std::size_t>& order) {
  Matrix result(matrix.rows, matrix.cols);
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::ranges::copy(matrix.row(order[i]), result.row(i).begin());
  }
  return result;
}

}  // namespace

TEST_CASE("more matches are never likelier, and more layers never rarer") {
  CHECK(rc::check([] {
    const auto count = *rc::gen::inRange<std::uint64_t>(1, 2000);
    const auto layers = *rc::gen::inRange<std::uint64_t>(1, 200);
    RC_ASSERT(log10_pooled_matches(count + 1, layers) <= log10_pooled_matches(count, layers));
    RC_ASSERT(log10_pooled_matches(count, layers) <=
              log10_pooled_matches(count, layers + 1) + 1e-9);
    RC_ASSERT(log10_pooled_matches(count, layers) <= 0);
  }));
}

TEST_CASE("pairing counts do not depend on which side is called the subject") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const Witness one = random_witness(24, seed, 0.3);
    Witness other = one;
    std::swap(other.views[0].subject, other.views[0].base);
    RC_ASSERT(matched_count(similarity(one), 1) == matched_count(similarity(other), 1));
  }));
}

TEST_CASE("renumbering the units of both sides alike changes no count") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const Witness one = random_witness(24, seed, 0.3);
    Witness other = one;
    const auto order = seeded_permutation(24, seed + 7);
    other.views[0].subject = rows_in_order(one.views[0].subject, order);
    other.views[0].base = rows_in_order(one.views[0].base, order);
    RC_ASSERT(matched_count(similarity(one), 1) == matched_count(similarity(other), 1));
  }));
}

TEST_CASE("certainty falls as noise grows") {
  CHECK(rc::check([] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    std::size_t near = 0;
    std::size_t far = 0;
    for (std::uint64_t i = 0; i < 4; ++i) {
      near += matched_count(similarity(random_witness(32, seed + 10 * i, 2.0)), 1);
      far += matched_count(similarity(random_witness(32, seed + 10 * i, 0.2)), 1);
    }
    RC_ASSERT(near > far);
  }));
}

TEST_CASE("a short axis is sampled as the short part of a long one") {
  CHECK(rc::check([] {
    const SamplingScheme scheme;
    const auto shorter = *rc::gen::inRange<std::uint64_t>(1, 3000);
    const auto longer = shorter + *rc::gen::inRange<std::uint64_t>(0, 3000);
    const auto few = sampled_indices(scheme, "neuron", shorter, 64);
    const auto many = sampled_indices(scheme, "neuron", longer, 64);
    for (const std::uint64_t index : many) {
      RC_ASSERT(index >= shorter || std::ranges::binary_search(few, index));
    }
    RC_ASSERT(few.size() == std::min<std::uint64_t>(64, shorter));
  }));
}

TEST_CASE("the fast sum is the slow sum to the last bit") {
  CHECK(rc::check([](const std::vector<float>& drawn) {
    std::vector<float> values;
    std::ranges::copy_if(drawn, std::back_inserter(values),
                         [](float value) { return std::abs(value) < 1e30F; });
    RC_ASSERT(dot(values, values) == dot_oracle(values, values));
  }));
}

TEST_CASE("rounding twice is rounding once") {
  CHECK(rc::check([](float value) {
    for (const char* id : {"BF16", "F16", "F8_E4M3", "F8_E5M2"}) {
      const ElementType& type = *find_element_type(id);
      const float once = rounded_to(type, value);
      const float twice = rounded_to(type, once);
      RC_ASSERT(once == twice || (once != once && twice != twice));
    }
  }));
}

TEST_CASE("what is shown holds no control character, whatever the bytes") {
  CHECK(rc::check([](const std::string& bytes) {
    const std::string safe = shown(bytes);
    RC_ASSERT(is_valid_utf8(safe));
    RC_ASSERT(std::ranges::none_of(safe, [](char c) { return c >= 0 && c < 0x20; }));
    RC_ASSERT(is_valid_utf8(percent_escaped(bytes)));
  }));
}

TEST_CASE("any bytes given as JSON end in a value or a problem") {
  CHECK(rc::check([](const std::string& bytes) {
    const auto document = parse_json(bytes, "drawn.json");
    RC_ASSERT(document.has_value() || !document.error().message.empty());
  }));
}

}  // namespace pedigree
