#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/compare/merge_family.h"

using namespace pedigree;
using namespace pedigree::made;

namespace {

constexpr double weight_size = 0.04;  // of the models' values
constexpr double change_size = 0.003;

// Base A; its fine-tunes P and Q; B, trained apart.
struct Siblings : Family {
  Weights a = rounded(noise(weight_size));
  Weights p = tuned(a);
  Weights q = tuned(a);
  Weights b = rounded(noise(weight_size));
  Fingerprint base = sketch("A", a);
  Fingerprint first = sketch("P", p);
  Fingerprint second = sketch("Q", q);
  Fingerprint apart = sketch("B", b);

  Weights tuned(const Weights& from) {
    const Weights change = noise(change_size);
    return rounded(sum({{1, &from}, {1, &change}}));
  }
};

// mergekit's SLERP over one tensor.
Weights slerp(const Weights& x, const Weights& y, std::size_t block, double t) {
  Weights out(x.size());
  for (std::size_t begin = 0; begin < x.size(); begin += block) {
    double xy = 0;
    double xx = 0;
    double yy = 0;
    for (std::size_t i = begin; i < begin + block; ++i) {
      xy += x[i] * y[i];
      xx += x[i] * x[i];
      yy += y[i] * y[i];
    }
    const double angle = std::acos(xy / std::sqrt(xx * yy));
    const double u = std::sin((1 - t) * angle) / std::sin(angle);
    const double v = std::sin(t * angle) / std::sin(angle);
    for (std::size_t i = begin; i < begin + block; ++i) out[i] = u * x[i] + v * y[i];
  }
  return out;
}

double cosine_of_changes(const Weights& p, const Weights& q, const Weights& base, std::size_t begin,
                         std::size_t count) {
  double pq = 0;
  double pp = 0;
  double qq = 0;
  for (std::size_t i = begin; i < begin + count; ++i) {
    pq += (p[i] - base[i]) * (q[i] - base[i]);
    pp += (p[i] - base[i]) * (p[i] - base[i]);
    qq += (q[i] - base[i]) * (q[i] - base[i]);
  }
  return pq / std::sqrt(pp * qq);
}

}  // namespace

TEST_CASE("a weighted sum of siblings is a merge with these weights, and needs nobody else") {
  Siblings made;
  const auto found = joint_of(sketch("M", sum({{0.7, &made.p}, {0.3, &made.q}})),
                              {&made.base, &made.apart, &made.first, &made.second});
  REQUIRE(method_of(found) == "merge linear");
  CHECK(weight_of(*found, "P") == doctest::Approx(0.7).epsilon(0.002));
  CHECK(weight_of(*found, "Q") == doctest::Approx(0.3).epsilon(0.002));
  CHECK(found->unneeded == std::vector<std::string>{"A", "B"});
  CHECK(found->direction == "base-is-parent");
  CHECK(found->within_rounding);
  CHECK(*found->rounding_ratio == doctest::Approx(1).epsilon(0.03));
  CHECK(found->parts.size() == made.size() / side / side);
}

TEST_CASE("the sum is found in every stored type") {
  Siblings made;
  const Weights merged = sum({{0.6, &made.p}, {0.4, &made.q}});
  for (const char* type : {"BF16", "F16", "F32"}) {
    const auto found = joint_of(sketch("M", merged, type), {&made.first, &made.second});
    REQUIRE_MESSAGE(method_of(found) == "merge linear", type);
    CHECK(weight_of(*found, "P") == doctest::Approx(0.6).epsilon(0.002));
  }
}

TEST_CASE("models trained apart are averaged, and a third is not needed") {
  Siblings made;
  const auto found = joint_of(sketch("M", sum({{0.5, &made.a}, {0.5, &made.b}})),
                              {&made.apart, &made.base, &made.first});
  REQUIRE(method_of(found) == "merge linear");
  CHECK(weight_of(*found, "A") == doctest::Approx(0.5).epsilon(0.002));
  CHECK(weight_of(*found, "B") == doctest::Approx(0.5).epsilon(0.002));
  CHECK(found->unneeded == std::vector<std::string>{"P"});
}

TEST_CASE("task arithmetic names the base that is counted from") {
  Siblings made;
  const auto found = joint_of(sketch("M", sum({{0.7, &made.p}, {0.7, &made.q}, {-0.4, &made.a}})),
                              {&made.first, &made.base, &made.second});
  REQUIRE(method_of(found) == "merge task-arithmetic");
  REQUIRE(found->base.has_value());
  CHECK(found->base->name == "A");
  CHECK(weight_of(*found, "P") == doctest::Approx(0.7).epsilon(0.005));
  CHECK(weight_of(*found, "Q") == doctest::Approx(0.7).epsilon(0.005));
}

TEST_CASE("a share left to the base could be a linear merge of three as well") {
  Siblings made;
  const auto found = joint_of(sketch("M", sum({{0.5, &made.p}, {0.3, &made.q}, {0.2, &made.a}})),
                              {&made.first, &made.base, &made.second});
  CHECK(method_of(found) == "merge linear/task-arithmetic");
  CHECK(weight_of(*found, "A") == doctest::Approx(0.2).epsilon(0.01));
}

TEST_CASE("SLERP of models apart is told from a straight line, with its t") {
  Siblings made;
  const Weights merged = slerp(made.a, made.b, side * side, 0.4);
  const auto found = joint_of(sketch("M", merged), {&made.base, &made.apart});
  REQUIRE(method_of(found) == "merge slerp");
  CHECK(*found->parents[1].t == doctest::Approx(0.4).epsilon(0.02));
  CHECK(*found->parents[0].t == doctest::Approx(0.6).epsilon(0.02));
}

TEST_CASE("t may differ from layer to layer, copies of either end among them") {
  Siblings made;
  Weights merged;
  for (int layer = 0; layer < made.layers; ++layer) {
    const Weights whole = slerp(made.a, made.b, side * side, layer / 3.0);
    const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(made.layer_size()) * layer;
    merged.insert(merged.end(), begin, begin + static_cast<std::ptrdiff_t>(made.layer_size()));
  }
  const auto found = joint_of(sketch("M", merged), {&made.base, &made.apart});
  REQUIRE(method_of(found) == "merge slerp");
  CHECK(found->direction == "base-is-parent");
  for (const JointPart& part : found->parts) {
    CHECK(*part.t == doctest::Approx(part.layer / 3.0).epsilon(0.02));
  }
}

TEST_CASE("model stock is known by its weights, none of which is free") {
  Siblings made;
  const std::size_t block = side * side;
  // A common part of another size in each matrix, so that t is not always the same.
  const auto common = [&](std::size_t i) {
    return 0.5 * static_cast<double>(i / block % 5) * change_size *
           std::sin(static_cast<double>(i));
  };
  const Weights p = rounded(mixed([&](auto i) { return made.p[i] + common(i); }, made.size()));
  const Weights q = rounded(mixed([&](auto i) { return made.q[i] + common(i); }, made.size()));
  Weights merged(made.size());
  for (std::size_t begin = 0; begin < merged.size(); begin += block) {
    const double cosine = cosine_of_changes(p, q, made.a, begin, block);
    const double t = 2 * cosine / (1 + cosine);
    for (std::size_t i = begin; i < begin + block; ++i) {
      merged[i] = t * (p[i] + q[i]) / 2 + (1 - t) * made.a[i];
    }
  }
  const Fingerprint first = sketch("P", p);
  const Fingerprint second = sketch("Q", q);
  const auto found = joint_of(sketch("M", merged), {&first, &second, &made.base});
  REQUIRE(method_of(found) == "merge model-stock");
  CHECK(found->base->name == "A");
}

TEST_CASE("a merge rounded to four bits is within its own steps") {
  Siblings made;
  Fingerprint subject = sketch("M", sum({{0.6, &made.p}, {0.4, &made.b}}), "F32");
  for (Block& block : subject.blocks) {
    for (std::size_t i = 0; i < block.values.size(); ++i) {
      const float step = 0.015F + 0.0002F * static_cast<float>(i / side);  // one a row
      block.values[i] = step * std::round(block.values[i] / step);
      block.steps.push_back(step);
    }
  }
  const auto found = joint_of(subject, {&made.first, &made.second, &made.apart});
  REQUIRE(found.has_value());
  CHECK(weight_of(*found, "P") == doctest::Approx(0.6).epsilon(0.02));
  CHECK(weight_of(*found, "B") == doctest::Approx(0.4).epsilon(0.02));
  CHECK(found->unneeded == std::vector<std::string>{"Q"});
}

TEST_CASE("shares of models that share nothing survive further training") {
  Siblings made;
  const Weights change = made.noise(0.01);
  const auto found = joint_of(sketch("M", sum({{0.5, &made.p}, {0.5, &made.b}, {1, &change}})),
                              {&made.base, &made.first, &made.apart});
  REQUIRE(method_of(found) == "merge linear");
  CHECK_FALSE(found->within_rounding);
  CHECK(weight_of(*found, "P") == doctest::Approx(0.5).epsilon(0.02));
}
