#include "model/tied_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_rows = 16;
// Squared, relative: a copy rounded into any type of eight bits and more is nearer.
constexpr double apart = 0.05 * 0.05;

bool hold_one_matrix(const Model& model, const CanonicalTensor& embedding,
                     const CanonicalTensor& head) {
  if (embedding.cols != head.cols) return false;
  const std::uint64_t common = std::min(embedding.rows, head.rows);
  const std::uint64_t step = std::max<std::uint64_t>(1, common / most_rows);
  std::vector<std::uint64_t> rows;
  for (std::uint64_t row = 0; row < common && rows.size() < most_rows; row += step) {
    rows.push_back(row);
  }
  const auto first = read_rows(model, embedding, rows);
  const auto second = read_rows(model, head, rows);
  if (!first || !second) return true;  // told elsewhere
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < first->size(); ++i) {
    const double a = (*first)[i];
    const double b = (*second)[i];
    difference += (a - b) * (a - b);
    size += a * a + b * b;
  }
  // Also where either holds NaN: then nothing is shown.
  return !(2 * difference > apart * size);
}

}  // namespace

std::optional<Problem> tied_head_problem(const Model& model) {
  if (model.tied_by.empty()) return std::nullopt;
  const CanonicalTensor* embedding = model.find("embed.tokens");
  const CanonicalTensor* head = model.find("head.out");
  if (embedding == nullptr || head == nullptr || !model.is_decodable(*embedding) ||
      !model.is_decodable(*head) || hold_one_matrix(model, *embedding, *head)) {
    return std::nullopt;
  }
  const auto name = [&](const CanonicalTensor& tensor) {
    return shown(model.tensors[tensor.tensor].entry.name.substr(0, 200));
  };
  return make_problem(
      "config-weights-mismatch", model.tied_by,
      fmt::format("the config says that embedding and head are tied, and \"{}\" holds other "
                  "values than \"{}\"",
                  name(*head), name(*embedding)));
}

}  // namespace pedigree
