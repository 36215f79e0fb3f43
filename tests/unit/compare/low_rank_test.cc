#include "compare/low_rank.h"

#include <doctest/doctest.h>

#include <random>

#include "tensor/element_types.h"

namespace pedigree {
namespace {

Matrix random_matrix(std::size_t rows, std::size_t cols, double deviation, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, deviation);
  Matrix matrix(rows, cols);
  for (double& value : matrix.values) value = normal(random);
  return matrix;
}

Matrix rounded(Matrix matrix, const ElementType& type) {
  for (double& value : matrix.values)
    value = static_cast<double>(rounded_to(type, static_cast<float>(value)));
  return matrix;
}

Matrix with_update(const Matrix& base, std::size_t rank, double size, unsigned seed) {
  Matrix sum = base;
  const Matrix b = random_matrix(base.rows, rank, 1, seed);
  const Matrix a = random_matrix(rank, base.cols, size, seed + 1);
  for (std::size_t i = 0; i < base.rows; ++i) {
    for (std::size_t j = 0; j < base.cols; ++j) {
      for (std::size_t r = 0; r < rank; ++r) sum.at(i, j) += b.at(i, r) * a.at(r, j);
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("an adapter of rank eight merged in bfloat16 shows exactly eight values") {
  const ElementType& bf16 = *find_element_type("BF16");
  const Matrix base = rounded(random_matrix(96, 128, 0.05, 1), bf16);
  for (const std::size_t rank : {1U, 4U, 8U, 16U}) {
    const Matrix subject = rounded(with_update(base, rank, 0.003, 10), bf16);
    CHECK(rank_of_change(subject, base, &bf16, false).rank == rank);
  }
}

TEST_CASE("a few edited values are no adapter, low as their rank is") {
  const ElementType& bf16 = *find_element_type("BF16");
  const Matrix base = rounded(random_matrix(96, 128, 0.05, 1), bf16);
  Matrix subject = base;
  subject.at(3, 5) = 0.75;
  subject.at(40, 7) = -0.5;
  const RankCount count = rank_of_change(subject, base, &bf16, false);
  CHECK(count.rank == count.limit);
}

TEST_CASE("rounding alone shows no rank") {
  const ElementType& bf16 = *find_element_type("BF16");
  const Matrix base = random_matrix(96, 96, 0.05, 3);
  CHECK(rank_of_change(rounded(base, bf16), base, &bf16, false).rank == 0);
}

TEST_CASE("a change of every direction is as good as full rank") {
  const ElementType& bf16 = *find_element_type("BF16");
  const Matrix base = rounded(random_matrix(64, 64, 0.05, 5), bf16);
  const Matrix subject = rounded(with_update(base, 64, 0.0005, 20), bf16);
  CHECK(rank_of_change(subject, base, &bf16, false).rank > 32);
}

namespace {

// q of rank `queries`, up of rank `ups`, gate untouched, three layers.
std::vector<Change> patterned(std::size_t queries, std::size_t ups) {
  std::vector<Change> all;
  const auto add = [&](const char* role, int layer, std::size_t rows, std::size_t rank) {
    const auto seed = static_cast<unsigned>(all.size()) * 7 + 100;
    Change change{.role = role, .subject_layer = layer, .base_layer = layer};
    change.base = random_matrix(rows, 64, 0.05, seed);
    change.subject = rank == 0 ? change.base : with_update(change.base, rank, 0.01, seed + 1);
    change.subject_type = find_element_type("F32");
    change.subject_is_rounded = rank == 0;
    change.informative = true;
    all.push_back(std::move(change));
  };
  for (int layer = 0; layer < 3; ++layer) {
    add("attn.q", layer, 64, queries);
    add("attn.v", layer, 24, queries);
    add("ffn.gate", layer, 64, 0);
    add("ffn.up", layer, 64, ups);
  }
  return all;
}

std::optional<Lora> lora_of(const std::vector<Change>& all) {
  const Fingerprint empty;
  const Side side{.sketch = empty};
  const Alignment alignment{.layers = {{0, 0}, {1, 1}, {2, 2}}};
  return *low_rank_update(side, side, alignment, all);
}

}  // namespace

TEST_CASE("each role shows its own rank") {
  const auto lora = lora_of(patterned(16, 8));
  REQUIRE(lora.has_value());
  CHECK(lora->rank == 16);
  REQUIRE(lora->ranks.size() == 3);
  CHECK(lora->ranks[0].rank == 16);
  CHECK(lora->ranks[2].role == "ffn.up");
  CHECK(lora->ranks[2].rank == 8);
}

TEST_CASE("matrices too small for the rank of the others get it as a lower bound") {
  const auto lora = lora_of(patterned(40, 8));
  REQUIRE(lora.has_value());
  CHECK(lora->rank == 40);
  CHECK(lora->ranks[1].role == "attn.v");
  CHECK(lora->ranks[1].rank == 24);
  CHECK(lora->ranks[1].at_least);
}

TEST_CASE("full rank everywhere is no adapter") {
  CHECK_FALSE(lora_of(patterned(64, 64)).has_value());
}

}  // namespace pedigree
