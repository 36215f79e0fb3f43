#include "fingerprint/responses.h"

#include "base/problem.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

void subtract_mean(std::span<float> values) {
  const double mean = sum(values) / static_cast<double>(values.size());
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) - mean);
}

}  // namespace

std::vector<float> centred_tokens(std::span<const float> values, std::size_t width, bool centre) {
  check(width > 0 && values.size() % width == 0, "tokens of unequal width");
  const std::size_t count = values.size() / width;
  std::vector<float> tokens(values.begin(), values.end());
  std::vector<float> column(count);
  for (std::size_t i = 0; i < width; ++i) {
    for (std::size_t token = 0; token < count; ++token) column[token] = tokens[token * width + i];
    subtract_mean(column);
    for (std::size_t token = 0; token < count; ++token) tokens[token * width + i] = column[token];
  }
  for (std::size_t token = 0; centre && token < count; ++token) {
    subtract_mean(std::span(tokens).subspan(token * width, width));
  }
  return tokens;
}

std::vector<float> neuron_responses(std::span<const float> weights, std::span<const float> gain,
                                    std::span<const float> tokens, bool centre) {
  const std::size_t width = weights.size();
  check(gain.size() == width && width > 0 && tokens.size() % width == 0, "widths differ");
  std::vector<float> row(width);
  for (std::size_t i = 0; i < width; ++i) row[i] = weights[i] * gain[i];
  if (centre) subtract_mean(row);
  std::vector<float> answers;
  answers.reserve(tokens.size() / width);
  for (std::size_t begin = 0; begin < tokens.size(); begin += width) {
    answers.push_back(static_cast<float>(dot(row, tokens.subspan(begin, width))));
  }
  return answers;
}

}  // namespace pedigree
