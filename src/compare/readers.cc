#include "compare/readers.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "compare/dense.h"
#include "model/token_bytes.h"
#include "model/weights.h"

namespace pedigree {
namespace {

Matrix as_matrix(const std::vector<float>& values, std::size_t rows) {
  Matrix matrix(rows, rows == 0 ? 0 : values.size() / rows);
  std::ranges::transform(values, matrix.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return matrix;
}

Result<Matrix> rows_of(const Model& model, std::string_view role, int layer, const Indices& rows) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr || rows.empty()) return Matrix{};
  auto values = read_rows(model, *tensor, rows);
  if (!values) return std::unexpected(std::move(values.error()));
  return as_matrix(*values, rows.size());
}

Result<std::vector<double>> gain_of(const Model& model, std::string_view role, int layer) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr) return std::vector<double>(model.architecture.hidden, 1.0);
  auto values = read_all(model, *tensor);
  if (!values) return std::unexpected(std::move(values.error()));
  std::vector<double> gain(values->begin(), values->end());
  if (model.architecture.norm_plus_one) {
    for (double& value : gain) value += 1;
  }
  return gain;
}

std::optional<Problem> multiply_by_gain(Matrix& matrix, const Model& model, std::string_view role,
                                        int layer) {
  const auto gain = gain_of(model, role, layer);
  if (!gain) return gain.error();
  if (gain->size() != matrix.cols) return std::nullopt;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] *= (*gain)[j];
  }
  return std::nullopt;
}

void centre_columns(Matrix& matrix) {
  std::vector<double> mean(matrix.cols);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) mean[j] += row[j];
  }
  for (double& value : mean) value /= static_cast<double>(matrix.rows);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] -= mean[j];
  }
}

}  // namespace

CommonRows common_rows(const Model& subject, const Model& base, std::size_t count) {
  CommonRows rows;
  const std::uint64_t limit_a = subject.architecture.vocab;
  const std::uint64_t limit_b = base.architecture.vocab;
  if (!subject.tokenizer || !base.tokenizer) {
    for (std::uint64_t i = 0; i < std::min({limit_a, limit_b, std::uint64_t{count}}); ++i) {
      rows.subject.push_back(i);
      rows.base.push_back(i);
    }
    return rows;
  }
  std::unordered_map<std::string, std::uint64_t> ids;
  const auto& theirs = base.tokenizer->tokens;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(theirs.size(), limit_b); ++i) {
    if (!theirs[i].empty()) ids.emplace(token_bytes(theirs[i], base.tokenizer->spelling), i);
  }
  const auto& mine = subject.tokenizer->tokens;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(mine.size(), limit_a); ++i) {
    if (rows.subject.size() == count) break;
    if (mine[i].empty()) continue;
    const auto at = ids.find(token_bytes(mine[i], subject.tokenizer->spelling));
    if (at == ids.end()) continue;
    rows.subject.push_back(i);
    rows.base.push_back(at->second);
  }
  return rows;
}

Result<Matrix> centred_token_rows(const Model& model, std::string_view role, const Indices& rows) {
  auto matrix = rows_of(model, role, -1, rows);
  if (!matrix || matrix->rows == 0) return matrix;
  if (role == "head.out") {
    if (auto problem = multiply_by_gain(*matrix, model, "head.norm", -1)) {
      return std::unexpected(std::move(*problem));
    }
  }
  centre_columns(*matrix);
  return matrix;
}

Result<Readers> readers_of(const Model& model, int layer, const LinkedNeurons& neurons,
                           std::uint64_t attention_rows) {
  const std::uint64_t width = model.architecture.hidden;
  const Indices dimensions = spread_indices(width, width);
  const auto rows_through = [&](FfnPart part) {
    return linked_rows(model, neurons.links, neurons.of_subject, part, dimensions);
  };
  auto gate = rows_through(FfnPart::gate);
  auto up = rows_through(FfnPart::up);
  auto down = rows_through(FfnPart::down);
  for (auto* part : {&gate, &up, &down}) {
    if (!*part) return std::unexpected(std::move(part->error()));
  }
  Readers readers{
      .gate = std::move(*gate), .up = std::move(*up), .down = std::move(*down), .attention = {}};
  for (const char* role : {"attn.q", "attn.k", "attn.v"}) {
    const CanonicalTensor* tensor = model.find(role, layer);
    if (tensor == nullptr) continue;
    auto rows = rows_of(model, role, layer, spread_indices(tensor->rows, attention_rows));
    if (!rows) return std::unexpected(std::move(rows.error()));
    append_rows(readers.attention, *rows);
  }
  for (const auto& [part, norm] :
       {std::pair{&readers.gate, "ffn.norm"}, std::pair{&readers.up, "ffn.norm"},
        std::pair{&readers.attention, "attn.norm"}}) {
    if (auto problem = multiply_by_gain(*part, model, norm, layer)) {
      return std::unexpected(std::move(*problem));
    }
  }
  return readers;
}

Result<Matrix> first_rows_of(const Model& model, int layer, const LinkedNeurons& neurons) {
  const Indices dimensions = spread_indices(model.architecture.hidden, model.architecture.hidden);
  for (const FfnPart part : {FfnPart::gate, FfnPart::up}) {
    auto rows = linked_rows(model, neurons.links, neurons.of_subject, part, dimensions);
    if (!rows) return std::unexpected(std::move(rows.error()));
    if (rows->rows == 0) continue;
    if (auto problem = multiply_by_gain(*rows, model, "ffn.norm", layer)) {
      return std::unexpected(std::move(*problem));
    }
    return rows;
  }
  return Matrix{};
}

Indices spread_indices(std::uint64_t size, std::uint64_t count) {
  Indices indices;
  for (const std::size_t place :
       spread_places(static_cast<std::size_t>(size), static_cast<std::size_t>(count))) {
    indices.push_back(place);
  }
  return indices;
}

void append_rows(Matrix& to, const Matrix& rows) {
  if (rows.rows == 0) return;
  to.cols = rows.cols;
  to.rows += rows.rows;
  to.values.insert(to.values.end(), rows.values.begin(), rows.values.end());
}

}  // namespace pedigree
