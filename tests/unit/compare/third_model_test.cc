#include "compare/third_model.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

namespace pedigree {
namespace {

// A model as a point in the head and one in the layers, and as versions of rows.
struct Point {
  std::vector<double> head = {};
  std::vector<double> body = {};
  std::vector<int> rows = {};
};

double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return squares;
}

KinPair pair_of(const Point& a, const Point& b) {
  KinPair pair;
  pair.squares[static_cast<std::size_t>(ModelPart::head)] = apart(a.head, b.head);
  pair.squares[static_cast<std::size_t>(ModelPart::attention)] = apart(a.body, b.body);
  for (std::size_t i = 0; i < a.rows.size(); ++i) {
    pair.compared.push_back(true);
    pair.equal.push_back(a.rows[i] == b.rows[i]);
  }
  return pair;
}

ThirdModel seen(const Point& first, const Point& second, const Point& third) {
  return third_model(pair_of(first, third), pair_of(second, third), pair_of(first, second));
}

// Every training drifts the head by 1 along the first axis.
const Point parent{.head = {0, 0, 0}, .body = {0, 0, 0}, .rows = {0, 0, 0, 0, 0, 0}};
const Point code{.head = {1, 1, 0}, .body = {1, 0, 0}, .rows = {1, 1, 0, 0, 0, 0}};
const Point prose{.head = {1, 0, 1}, .body = {0.1, 1, 0}, .rows = {0, 0, 2, 2, 0, 0}};
const Point grandchild{.head = {2, 1, 1}, .body = {1, 1, 0}, .rows = {1, 1, 3, 3, 0, 0}};

}  // namespace

TEST_CASE("two children of one parent are siblings") {
  // Heads: 1 / (√2 √2) = 0.5; layers: 0.1 / √1.01 = 0.0995.
  const ThirdModel answer = seen(code, prose, parent);
  CHECK(answer.rows.with_first == 2);
  CHECK(answer.rows.with_second == 2);
  CHECK(answer.rows.against == 0);
  CHECK(answer.head_cosine == doctest::Approx(0.5));
  CHECK(answer.body_cosine == doctest::Approx(0.0995).epsilon(0.001));
  CHECK(answer.siblings());
}

TEST_CASE("a grandchild and its grandparent are none, seen from between them") {
  // Heads: ⟨(−1, −1, 0), (1, 0, 1)⟩ / 2 = −0.5.
  const ThirdModel answer = seen(parent, grandchild, code);
  CHECK(answer.between());
  CHECK(answer.head_cosine == doctest::Approx(-0.5));
  CHECK_FALSE(answer.siblings());
}

TEST_CASE("a descendant that turned back is not taken for a parent") {
  // It drifted on in the head and went half of the way back in the layers, so it
  // looks like a middle; but a row that its parent and grandparent hold alike is lost.
  const Point returned{.head = {2, 0.4, 0}, .body = {0.5, 0, 0.3}, .rows = {1, 1, 0, 0, 4, 0}};
  const ThirdModel answer = seen(parent, code, returned);
  CHECK(answer.moved_apart());
  CHECK(answer.rows.against == 1);
  CHECK_FALSE(answer.between());
  CHECK_FALSE(answer.siblings());
}

TEST_CASE("without rows that tell, a third model is not between") {
  Point a = code;
  Point b = prose;
  Point c = parent;
  for (Point* each : {&a, &b, &c}) each->rows.assign(6, 0);
  CHECK_FALSE(seen(a, b, c).siblings());
}

TEST_CASE("a frozen head gives no sign") {
  Point frozen = prose;
  frozen.head = parent.head;
  const ThirdModel answer = seen(code, frozen, parent);
  CHECK(answer.head_cosine == 0);
  CHECK_FALSE(answer.siblings());
}

}  // namespace pedigree
