#include "fingerprint/residual_rows.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include "model/weights.h"

namespace pedigree {
namespace {

bool writes(const CanonicalTensor& tensor) {
  const std::string_view role = tensor.role;
  return role == "attn.o" || role.ends_with(".down");
}

}  // namespace

std::uint64_t units_of(const CanonicalTensor& tensor) {
  return writes(tensor) ? tensor.cols : tensor.rows;
}

std::uint64_t residual_width_of(const CanonicalTensor& tensor) {
  return writes(tensor) ? tensor.rows : tensor.cols;
}

Result<Matrix> residual_rows(const Model& model, const CanonicalTensor& tensor,
                             const std::vector<std::uint64_t>& units,
                             const std::vector<std::uint64_t>& dimensions) {
  const bool by_column = writes(tensor);
  const bool whole = !by_column && dimensions.size() == tensor.cols &&
                     std::ranges::is_sorted(dimensions, std::ranges::less_equal{});
  const auto values = by_column ? read_block(model, tensor, dimensions, units)
                      : whole   ? read_rows(model, tensor, units)
                                : read_block(model, tensor, units, dimensions);
  if (!values) return std::unexpected(values.error());
  Matrix rows(units.size(), dimensions.size());
  for (std::size_t i = 0; i < rows.rows; ++i) {
    for (std::size_t j = 0; j < rows.cols; ++j) {
      const std::size_t at = by_column ? j * rows.rows + i : i * rows.cols + j;
      rows.at(i, j) = static_cast<double>((*values)[at]);
    }
  }
  return rows;
}

std::optional<Problem> pass_norm(const Model& model, const CanonicalTensor& tensor, Matrix& rows) {
  const bool attends = std::string_view(tensor.role).starts_with("attn");
  const CanonicalTensor* norm = model.find(attends ? "attn.norm" : "ffn.norm", tensor.layer);
  if (!writes(tensor) && norm != nullptr && norm->rows == rows.cols) {
    const auto gain = read_all(model, *norm);
    if (!gain) return gain.error();
    const double one = model.architecture.norm_plus_one ? 1 : 0;
    for (std::size_t i = 0; i < rows.values.size(); ++i) {
      rows.values[i] *= static_cast<double>((*gain)[i % rows.cols]) + one;
    }
  }
  if (model.architecture.norm != "layernorm") return std::nullopt;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    const auto row = rows.row(i);
    double total = 0;
    for (const double value : row) total += value;
    for (double& value : row) value -= total / static_cast<double>(row.size());
  }
  return std::nullopt;
}

}  // namespace pedigree
