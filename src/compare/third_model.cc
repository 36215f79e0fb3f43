#include "compare/third_model.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pedigree {
namespace {

constexpr std::size_t fewest_rows = 2;
// Measured on lines: head at most 0.22 below the body, over twelve of them; on
// siblings from 0.06 below to 0.35 above.
constexpr double least_head = 0.15;
constexpr double least_lead = 0.05;

struct Moves {
  double first = 0;  // squared lengths
  double second = 0;
  double apart = 0;

  void add(const KinPair& a, const KinPair& b, const KinPair& ab, ModelPart part) {
    const auto at = static_cast<std::size_t>(part);
    first += a.squares[at];
    second += b.squares[at];
    apart += ab.squares[at];
  }
  double cosine() const {
    return first > 0 && second > 0 ? (first + second - apart) / (2 * std::sqrt(first * second)) : 0;
  }
};

}  // namespace

bool ThirdModel::between() const {
  return rows.against == 0 && std::min(rows.with_first, rows.with_second) >= fewest_rows;
}

bool ThirdModel::moved_apart() const {
  return head_cosine >= least_head && head_cosine >= body_cosine + least_lead;
}

ThirdModel third_model(const KinPair& first_third, const KinPair& second_third,
                       const KinPair& first_second) {
  ThirdModel answer;
  const std::size_t rows =
      std::min({first_third.equal.size(), second_third.equal.size(), first_second.equal.size()});
  for (std::size_t i = 0; i < rows; ++i) {
    answer.rows.add(first_third.equal[i], second_third.equal[i], first_second.equal[i]);
  }
  Moves head;
  head.add(first_third, second_third, first_second, ModelPart::head);
  Moves body;
  body.add(first_third, second_third, first_second, ModelPart::attention);
  body.add(first_third, second_third, first_second, ModelPart::feed_forward);
  answer.head_cosine = head.cosine();
  answer.body_cosine = body.cosine();
  return answer;
}

}  // namespace pedigree
