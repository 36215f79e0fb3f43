#include "fingerprint/responses.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/fingerprint/made_model.h"

namespace pedigree {
namespace {

constexpr std::size_t width = 24;
constexpr std::size_t count = 10;

std::vector<float> all_responses(const std::vector<float>& rows, const std::vector<float>& gain,
                                 const std::vector<float>& tokens, bool centre) {
  const auto prepared = centred_tokens(tokens, width, centre);
  std::vector<float> result;
  for (std::size_t begin = 0; begin < rows.size(); begin += width) {
    const auto answers =
        neuron_responses(std::span(rows).subspan(begin, width), gain, prepared, centre);
    result.insert(result.end(), answers.begin(), answers.end());
  }
  return result;
}

// v − 2 u (u·v) for each row: a reflection, which is orthogonal.
std::vector<float> reflected(std::vector<float> rows, const std::vector<double>& unit) {
  for (std::size_t begin = 0; begin < rows.size(); begin += width) {
    double along = 0;
    for (std::size_t i = 0; i < width; ++i) along += unit[i] * static_cast<double>(rows[begin + i]);
    for (std::size_t i = 0; i < width; ++i) {
      rows[begin + i] -= static_cast<float>(2 * along * unit[i]);
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("responses are what a hand calculation gives") {
  // Two tokens (1, 2) and (3, 6): the mean is (2, 4), centred (-1, -2) and (1, 2).
  const auto tokens = centred_tokens(std::vector<float>{1, 2, 3, 6}, 2, false);
  CHECK(tokens == std::vector<float>{-1, -2, 1, 2});
  // w ∘ γ = (3·2, 5·0.5) = (6, 2.5); with (-1, -2): -6 - 5 = -11.
  const auto answers =
      neuron_responses(std::vector<float>{3, 5}, std::vector<float>{2, 0.5F}, tokens, false);
  CHECK(answers == std::vector<float>{-11, 11});
  // LayerNorm: (6, 2.5) less its mean is (1.75, -1.75); (-1, -2) becomes (0.5, -0.5).
  const auto centred = centred_tokens(std::vector<float>{1, 2, 3, 6}, 2, true);
  CHECK(neuron_responses(std::vector<float>{3, 5}, std::vector<float>{2, 0.5F}, centred, true) ==
        std::vector<float>{1.75F, -1.75F});
}

TEST_CASE("an orthogonal change of the residual basis leaves responses alone") {
  made::Numbers numbers(2);
  const auto rows = numbers.take(3 * width);
  const auto tokens = numbers.take(count * width);
  const std::vector<float> ones(width, 1);
  std::vector<double> unit(width);
  double norm = 0;
  for (double& part : unit) {
    part = static_cast<double>(numbers.next());
    norm += part * part;
  }
  for (double& part : unit) part /= std::sqrt(norm);
  const auto before = all_responses(rows, ones, tokens, false);
  const auto after = all_responses(reflected(rows, unit), ones, reflected(tokens, unit), false);
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(after[i] == doctest::Approx(static_cast<double>(before[i])).epsilon(1e-4));
  }
}

TEST_CASE("gains may be folded into the weights") {
  made::Numbers numbers(3);
  auto rows = numbers.take(2 * width);
  const auto gain = numbers.take(width);
  const auto tokens = numbers.take(count * width);
  const auto apart = all_responses(rows, gain, tokens, false);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] *= gain[i % width];
  CHECK(all_responses(rows, std::vector<float>(width, 1), tokens, false) == apart);
}

TEST_CASE("LayerNorm responses do not see a constant added to a token or a weight row") {
  made::Numbers numbers(4);
  auto rows = numbers.take(2 * width);
  auto tokens = numbers.take(count * width);
  const std::vector<float> ones(width, 1);
  const auto before = all_responses(rows, ones, tokens, true);
  for (std::size_t i = 0; i < width; ++i) {
    rows[i] += 0.5F;
    tokens[i] += 2.0F;
  }
  const auto after = all_responses(rows, ones, tokens, true);
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(after[i] == doctest::Approx(static_cast<double>(before[i])).epsilon(1e-4));
  }
}

}  // namespace pedigree
