#include "compare/family_tree.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "compare/joint_parents.h"
#include "tests/unit/compare/kin_family.h"

using namespace pedigree;
using namespace pedigree::test;

namespace {

std::string tree_of(const KinFamily& family) {
  std::string text;
  for (const ConnectedFamily& each : families_of(family.graph())) {
    if (!text.empty()) text += " | ";
    text += links_in_words(each);
  }
  return text;
}

}  // namespace

TEST_CASE("a chain of two trainings is linked step by step") {
  // Squared distances 1, 1 and, the steps being orthogonal, 2.
  KinFamily family;
  family.add({0, 0});
  family.add({1, 0});
  family.add({1, 1});
  CHECK(tree_of(family) == "0-1, 1-2");
}

TEST_CASE("children of one parent hang on it and not on each other") {
  KinFamily family;
  family.add({0, 0, 0});
  family.add({1, 0, 0});
  family.add({0, 1, 0});
  family.add({0, 0, 1});
  CHECK(tree_of(family) == "0-1, 0-2, 0-3");
}

TEST_CASE("rows kept outweigh a distance that misleads") {
  // 1 learned code, 2 prose, 3 both, first code. 3 is nearer to 2 than to 1.
  KinFamily family(12);
  family.add({0, 0}, {0, 0, 0, 0, 0, 0, 0, 0});
  family.add({1, 0}, {1, 1, 1, 1, 0, 0, 0, 0});
  family.add({0, 1.05}, {0, 0, 0, 0, 2, 2, 2, 2});
  family.add({0.98, 1}, {1, 1, 1, 1, 3, 3, 3, 3});
  CHECK(tree_of(family) == "0-1, 0-2, 1-3");
}

TEST_CASE("a model trained at length hangs on the middle of all it is as near to") {
  // 1 to 3 are short fine-tunes of 0; 4 went far, and a little in the direction of 1.
  KinFamily family;
  family.add({0, 0, 0, 0});
  family.add({0.4, 0, 0, 0});
  family.add({0, 0.4, 0, 0});
  family.add({0, 0, 0.4, 0});
  family.add({1, 0, 0, 5});
  const auto families = families_of(family.graph());
  REQUIRE(families.size() == 1);
  CHECK(links_in_words(families[0]) == "0-1, 0-2, 0-3, 0-4");
  const FamilyLink& far = families[0].links.back();
  CHECK(far.second == 4);
  CHECK(far.as_near == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("a model that carries all of a step hangs behind it, however far it went on") {
  // As above, but 4 holds exactly what 1 changed, so 1 is on its way.
  KinFamily family;
  family.add({0, 0, 0, 0});
  family.add({0.4, 0, 0, 0});
  family.add({0, 0.4, 0, 0});
  family.add({0, 0, 0.4, 0});
  family.add({0.4, 0, 0, 5});
  CHECK(tree_of(family) == "0-1, 0-2, 0-3, 1-4");
}

TEST_CASE("siblings without their parent meet in a model that is not in the set") {
  // Each moved rows of its own; any two agree where only the third moved.
  KinFamily family(9);
  family.add({1, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0, 0});
  family.add({0, 1, 0}, {0, 0, 0, 2, 2, 2, 0, 0, 0});
  family.add({0, 0, 1}, {0, 0, 0, 0, 0, 0, 3, 3, 3});
  const auto families = families_of(family.graph());
  REQUIRE(families.size() == 1);
  CHECK(families[0].missing == std::vector<std::size_t>{3});
  CHECK(links_in_words(families[0]) == "3?0, 3?1, 3?2");
}

TEST_CASE("a fourth sibling joins the missing parent as well") {
  KinFamily family(12);
  family.add({1, 0, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  family.add({0, 1, 0, 0}, {0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0});
  family.add({0, 0, 1, 0}, {0, 0, 0, 0, 0, 0, 3, 3, 3, 0, 0, 0});
  family.add({0, 0, 0, 2}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4});
  const auto families = families_of(family.graph());
  REQUIRE(families.size() == 1);
  CHECK(links_in_words(families[0]) == "4?0, 4?1, 4?2, 4?3");
}

TEST_CASE("no missing parent is invented where one of the set holds what the others share") {
  KinFamily family(9);
  family.add({0, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0, 0});
  family.add({1, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0, 0});
  family.add({0, 1, 0}, {0, 0, 0, 2, 2, 2, 0, 0, 0});
  const auto families = families_of(family.graph());
  REQUIRE(families.size() == 1);
  CHECK(families[0].missing.empty());
  CHECK(links_in_words(families[0]) == "0-1, 0-2");
}

TEST_CASE("a quantised model is a leaf, though it stands nearer to another than its source does") {
  KinFamily family;
  family.add({0, 0});
  family.add({1, 0});
  const auto quantised = family.add({0.9, 0.2});
  family.copy(1, quantised);
  CHECK(tree_of(family) == "0-1, 1=2");
}

TEST_CASE("equal copies hang on the one of the coarsest type, and all else on that one") {
  KinFamily family;
  const auto widened = family.add({0, 0});
  const auto base = family.add({0, 0});
  const auto renamed = family.add({0, 0});
  family.add({1, 0});
  family.model(widened).precision = 24;
  family.equal(widened, base);
  family.equal(base, renamed);
  family.equal(widened, renamed);
  CHECK(tree_of(family) == "1=0, 1=2, 1-3");
}

TEST_CASE("models that share nothing are families of their own") {
  KinFamily family;
  family.add({0, 0});
  family.add({5, 0});
  family.add({0, 1});
  family.unrelated(0, 1);
  family.unrelated(1, 2);
  const auto families = families_of(family.graph());
  REQUIRE(families.size() == 2);
  CHECK(families[0].members == std::vector<std::size_t>{0, 2});
  CHECK(families[1].members == std::vector<std::size_t>{1});
  CHECK(families[1].links.empty());
}

TEST_CASE("an average hangs on its parents and never stands between others") {
  // 3 = 0.7 · 1 + 0.3 · 2 is nearer to 0, 1 and 2 than these are to each other.
  KinFamily family;
  family.add({0, 0});
  family.add({1, 0});
  family.add({0, 1});
  family.add({0.7, 0.3});
  CHECK(tree_of(family) != "0-1, 0-2, 1>3, 2>3");
  KinGraph graph = family.graph();
  graph.joints = joint_parents_of(graph);
  REQUIRE(graph.joints.size() == 1);
  CHECK(graph.joints[0].exact);
  CHECK(graph.joints[0].weights[0] == doctest::Approx(0.7));
  CHECK(graph.joints[0].weights[1] == doctest::Approx(0.3));
  const auto families = families_of(graph);
  REQUIRE(families.size() == 1);
  CHECK(links_in_words(families[0]) == "0-1, 0-2, 1>3, 2>3");
  CHECK(families[0].links[2].weight.value() == doctest::Approx(0.7));
}

TEST_CASE("what was trained from a merged model hangs below it") {
  KinFamily family;
  family.add({0, 0, 0});
  family.add({1, 0, 0});
  family.add({0, 1, 0});
  family.add({0.5, 0.5, 0});
  family.add({0.5, 0.5, 0.2});
  KinGraph graph = family.graph();
  graph.joints = {{.child = 3, .parents = {1, 2}, .weights = {0.5, 0.5}, .exact = true}};
  const auto families = families_of(graph);
  REQUIRE(families.size() == 1);
  CHECK(links_in_words(families[0]) == "0-1, 0-2, 1>3, 2>3, 3-4");
}

TEST_CASE("a merge of two strangers holds their families together") {
  KinFamily family;
  family.add({4, 0});
  family.add({0, 4});
  family.add({2, 2});
  family.unrelated(0, 1);
  KinGraph graph = family.graph();
  graph.joints = joint_parents_of(graph);
  REQUIRE(graph.joints.size() == 1);
  const auto families = families_of(graph);
  REQUIRE(families.size() == 1);
  CHECK(links_in_words(families[0]) == "0>2, 1>2");
}

TEST_CASE("a joint that names its own descendant as a parent is not taken") {
  KinFamily family;
  family.add({0, 0});
  family.add({1, 0});
  family.add({2, 0});
  KinGraph graph = family.graph();
  graph.joints = {{.child = 1, .parents = {0, 2}}, {.child = 2, .parents = {0, 1}}};
  const auto families = families_of(graph);
  REQUIRE(families.size() == 1);
  CHECK(links_in_words(families[0]) == "0>1, 2>1, 0-2");
}

TEST_CASE("a model put together from whole parts of two hangs on both") {
  KinFamily family(20);
  std::vector<int> first(20, 1);
  std::vector<int> second(20, 2);
  std::vector<int> mixed(20, 1);
  std::fill(mixed.begin() + 12, mixed.end(), 2);
  family.add({1, 0}, first);
  family.add({0, 1}, second);
  family.add({1, 1}, mixed);
  const auto joints = joint_parents_of(family.graph());
  REQUIRE(joints.size() == 1);
  CHECK(joints[0].child == 2);
  CHECK(joints[0].parents == std::vector<std::size_t>{0, 1});
  CHECK(joints[0].exact);
}

TEST_CASE("a model between two others on a bent way is no average") {
  // Two steps whose cosine is 0.8, as two runs on the same data have.
  KinFamily family;
  family.add({0, 0});
  family.add({1, 0});
  family.add({1.8, 0.6});
  CHECK(joint_parents_of(family.graph()).empty());
  CHECK(tree_of(family) == "0-1, 1-2");
}

TEST_CASE("the tree does not depend on the order of the pairs") {
  KinFamily family(9);
  family.add({1, 0, 0}, {1, 1, 1, 0, 0, 0, 0, 0, 0});
  family.add({0, 1, 0}, {0, 0, 0, 2, 2, 2, 0, 0, 0});
  family.add({0, 0, 1}, {0, 0, 0, 0, 0, 0, 3, 3, 3});
  family.add({0, 0, 1.5}, {0, 0, 0, 0, 0, 0, 3, 3, 3});
  KinGraph graph = family.graph();
  const std::string expected = links_in_words(families_of(graph)[0]);
  for (int i = 0; i < 6; ++i) {
    std::ranges::rotate(graph.pairs, graph.pairs.begin() + 1);
    CHECK(links_in_words(families_of(graph)[0]) == expected);
    std::ranges::reverse(graph.pairs);
    CHECK(links_in_words(families_of(graph)[0]) == expected);
  }
}
