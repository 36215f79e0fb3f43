#include "compare/third_model.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pedigree {
namespace {

constexpr std::size_t fewest_rows = 3;
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

ThirdModel third_model(const KinPair& first_third, const KinPair& second_third,
                       const KinPair& first_second) {
  ThirdModel answer;
  const std::size_t rows =
      std::min({first_third.kept.size(), second_third.kept.size(), first_second.kept.size()});
  for (std::size_t i = 0; i < rows; ++i) {
    const bool with_first = first_third.kept[i];
    const bool with_second = second_third.kept[i];
    const bool without = first_second.kept[i];
    answer.rows_with_first += with_first && !with_second && !without ? 1U : 0U;
    answer.rows_with_second += with_second && !with_first && !without ? 1U : 0U;
    answer.rows_against += without && !with_first && !with_second ? 1U : 0U;
  }
  answer.between = answer.rows_against == 0 &&
                   std::min(answer.rows_with_first, answer.rows_with_second) >= fewest_rows;
  Moves head;
  head.add(first_third, second_third, first_second, ModelPart::head);
  Moves body;
  body.add(first_third, second_third, first_second, ModelPart::attention);
  body.add(first_third, second_third, first_second, ModelPart::feed_forward);
  answer.head_cosine = head.cosine();
  answer.body_cosine = body.cosine();
  answer.siblings = answer.between && answer.head_cosine >= least_head &&
                    answer.head_cosine >= answer.body_cosine + least_lead;
  return answer;
}

}  // namespace pedigree
