// What must not be called a merge.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/compare/merge_family.h"

using namespace pedigree;
using namespace pedigree::made;

namespace {

constexpr double weight_size = 0.04;
constexpr double change_size = 0.003;

struct Siblings : Family {
  Weights a = rounded(noise(weight_size));
  Weights common = noise(change_size);  // what data of one kind teaches
  Weights p = tuned(a, 0);
  Weights q = tuned(a, 0.7);
  Weights b = rounded(noise(weight_size));
  Fingerprint base = sketch("A", a);
  Fingerprint first = sketch("P", p);
  Fingerprint second = sketch("Q", q);
  Fingerprint apart = sketch("B", b);

  // A fine-tune whose change is `shared` (squared, of its size) like the others'.
  Weights tuned(const Weights& from, double shared) {
    const Weights own = noise(change_size);
    return rounded(sum({{1, &from}, {std::sqrt(shared), &common}, {std::sqrt(1 - shared), &own}}));
  }
};

}  // namespace

TEST_CASE("a fine-tune is no merge of its parent and a sibling trained on like data") {
  Siblings made;
  for (const double shared : {0.0, 0.5, 0.9, 0.95}) {
    const Fingerprint child = sketch("S", made.tuned(made.a, shared));
    const Fingerprint sibling = sketch("T", made.tuned(made.a, shared));
    CHECK_MESSAGE(method_of(joint_of(child, {&made.base, &sibling, &made.apart})) == "nothing",
                  shared);
    CHECK_MESSAGE(method_of(joint_of(child, {&made.base, &sibling})) == "nothing", shared);
  }
}

TEST_CASE("a grandchild is no merge of its parent and an uncle trained as it was") {
  Siblings made;
  const Fingerprint child = sketch("S", made.tuned(made.p, 0.9));
  CHECK(method_of(joint_of(child, {&made.base, &made.first, &made.second})) == "nothing");
}

TEST_CASE("one candidate that explains it all is not joined by others") {
  Siblings made;
  const std::vector<const Fingerprint*> all = {&made.base, &made.first, &made.second, &made.apart};
  CHECK(method_of(joint_of(sketch("S", made.p), all)) == "nothing");
  CHECK(method_of(joint_of(sketch("S", made.p, "F32"), all)) == "nothing");
  const Weights louder = sum({{1.02, &made.p}});
  CHECK(method_of(joint_of(sketch("S", louder), all)) == "nothing");
  CHECK(method_of(joint_of(sketch("S", made.p, "BF16", {0, 2, 3}), all)) == "nothing");
  CHECK(method_of(joint_of(sketch("S", made.p, "BF16", {0, 1, 1, 2, 3}), all)) == "nothing");
}

TEST_CASE("a parent is no merge of its merge and the other parent") {
  Siblings made;
  const Fingerprint merge = sketch("M", sum({{0.7, &made.p}, {0.3, &made.q}}));
  const auto found = joint_of(made.first, {&merge, &made.second});
  REQUIRE(found.has_value());
  CHECK(found->relation == "inconclusive");
  CHECK(found->parents.empty());
  CHECK(found->direction == "undetermined");
}

TEST_CASE("a fine-tune is no merge of its base and an overdone copy of its change") {
  Siblings made;
  const Fingerprint overdone = sketch("M", sum({{1.5, &made.p}, {-0.5, &made.a}}));
  const auto back = joint_of(made.first, {&made.base, &overdone});
  REQUIRE(back.has_value());
  CHECK(back->relation == "inconclusive");
  const auto forth = joint_of(overdone, {&made.base, &made.first});
  CHECK(method_of(forth) == "merge task-arithmetic");
}

TEST_CASE("models too near to one another for their stored type give no answer") {
  Siblings made;
  const Weights step = made.noise(2e-5);
  const Weights twice = sum({{1, &made.a}, {2, &step}});
  const Fingerprint late = sketch("F", twice);
  const Fingerprint early = sketch("S", sum({{1, &made.a}, {1, &step}}));
  CHECK(method_of(joint_of(early, {&made.base, &late})) == "nothing");
}

TEST_CASE("other shapes and other schemes take no part") {
  Siblings made;
  Fingerprint other = made.second;
  other.scheme = "another";
  const Weights merged = sum({{0.7, &made.p}, {0.3, &made.q}});
  CHECK(method_of(joint_of(sketch("M", merged), {&made.first, &other})) == "nothing");
  CHECK(method_of(joint_of(sketch("M", merged), {&made.first})) == "nothing");
}

TEST_CASE("of two candidates with the same values one takes part") {
  Siblings made;
  const Fingerprint copy = sketch("P-f32", made.p, "F32");
  const auto found = joint_of(sketch("M", sum({{0.7, &made.p}, {0.3, &made.q}})),
                              {&made.first, &copy, &made.second});
  REQUIRE(method_of(found) == "merge linear");
  CHECK(found->parents.size() == 2);
  CHECK(weight_of(*found, "Q") == doctest::Approx(0.3).epsilon(0.01));
}
