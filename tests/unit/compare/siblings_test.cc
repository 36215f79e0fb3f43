#include "compare/siblings.h"

#include <doctest/doctest.h>

#include <array>

namespace pedigree {
namespace {

// Two bases, and what was found of the subject against each.
struct Bases {
  Fingerprint sketch = {};
  std::array<Comparison, 2> comparisons = {};

  Bases() {
    const std::array<const char*, 2> names = {"other", "parent"};
    for (std::size_t i = 0; i < 2; ++i) {
      comparisons[i].subject = "subject";
      comparisons[i].base = names[i];
      comparisons[i].verdict.derived = "yes";
    }
  }
  void tell(const CompareBases& compare_bases) {
    std::vector<BaseAtHand> bases;
    for (Comparison& comparison : comparisons) {
      bases.push_back(
          {.subject = {.sketch = sketch}, .base = {.sketch = sketch}, .comparison = &comparison});
    }
    tell_siblings(bases, compare_bases);
  }
};

void make_copy(Comparison& comparison, std::string direction) {
  comparison.verdict.derived = "yes";
  comparison.verdict.mechanisms = {"quantized"};
  comparison.verdict.direction = std::move(direction);
  comparison.change = {{.role = "attn.q", .layer = 0, .relative_delta = 0.1}};
}

Comparison unasked(std::size_t, std::size_t) {
  FAIL("the bases need not be compared");
  return {};
}

}  // namespace

TEST_CASE("two copies of one parent at hand are siblings") {
  Bases bases;
  make_copy(bases.comparisons[1], "base-is-parent");
  bases.tell([](std::size_t child, std::size_t parent) {
    CHECK(child == 0);
    CHECK(parent == 1);
    Comparison comparison;
    make_copy(comparison, "base-is-parent");
    return comparison;
  });
  CHECK(bases.comparisons[0].verdict.direction == "siblings");
  CHECK(bases.comparisons[0].verdict.summary ==
        "subject and other come from one parent, and neither from the other.");
  CHECK(bases.comparisons[1].verdict.direction == "base-is-parent");
}

TEST_CASE("a claim against a base is withdrawn when another one explains the subject") {
  Bases bases;
  bases.comparisons[0].verdict.direction = "base-is-parent";
  bases.comparisons[0].verdict.mechanisms = {"pruned", "finetune"};
  make_copy(bases.comparisons[1], "base-is-parent");
  bases.tell([](std::size_t, std::size_t) {
    Comparison comparison;
    comparison.verdict.derived = "yes";
    comparison.verdict.mechanisms = {"finetune"};
    return comparison;
  });
  CHECK(bases.comparisons[0].verdict.direction == "undetermined");
  CHECK(bases.comparisons[0].verdict.direction_because.find("parent") != std::string::npos);
}

TEST_CASE("bases that share nothing with the subject are not asked") {
  Bases bases;
  make_copy(bases.comparisons[1], "base-is-parent");
  bases.comparisons[0].verdict.derived = "no";
  bases.tell(unasked);
  CHECK(bases.comparisons[0].verdict.direction == "undetermined");
}

TEST_CASE("without a copy and without coordinates nothing is said") {
  Bases bases;
  bases.tell(unasked);
  CHECK(bases.comparisons[0].verdict.direction == "undetermined");
  CHECK(bases.comparisons[1].verdict.direction == "undetermined");
}

TEST_CASE("a copy that was made from a base stays so beside others") {
  Bases bases;
  make_copy(bases.comparisons[0], "base-is-parent");
  make_copy(bases.comparisons[1], "base-is-parent");
  bases.tell(unasked);
  CHECK(bases.comparisons[0].verdict.direction == "base-is-parent");
  CHECK(bases.comparisons[1].verdict.direction == "base-is-parent");
}

}  // namespace pedigree
