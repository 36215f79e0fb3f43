#include "compare/tensor_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compare/exact.h"

namespace pedigree {
namespace {

std::string state_of(const ExactTensor& tensor) {
  using enum ExactTensor::State;
  if (tensor.state == unmatched) return "unmatched";
  if (!tensor.informative) return "uninformative";
  switch (tensor.state) {
    case equal:
      return "equal";
    case subject_is_rounded:
    case base_is_rounded:
      return "equal-after-cast";
    case changed:
    case unmatched:
      break;
  }
  return "changed";
}

std::vector<TensorRow> rows_of(const ExactPass& pass, bool measured) {
  std::vector<TensorRow> rows;
  for (const ExactTensor& tensor : pass.tensors) {
    TensorRow row{.name = tensor.name,
                  .role = tensor.role,
                  .layer = tensor.layer,
                  .base_name = tensor.base_name,
                  .state = state_of(tensor)};
    if (measured && tensor.state != ExactTensor::State::unmatched) {
      row.relative_delta = tensor.relative_delta;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// Tensors without a role are listed too: nothing of a model goes unmentioned.
void add_tensors_without_role(const Model& model, std::vector<TensorRow>& rows) {
  std::set<std::size_t> with_role;
  for (const CanonicalTensor& tensor : model.canonical) with_role.insert(tensor.tensor);
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    if (!with_role.contains(i)) {
      rows.push_back({.name = model.tensors[i].entry.name, .state = "unmatched"});
    }
  }
}

}  // namespace

Result<std::vector<TensorRow>> tensor_rows(const Side& subject, const Side& base,
                                           const Alignment& alignment,
                                           const std::vector<RoleChange>& change,
                                           const CompareOptions& options) {
  if (subject.weights != nullptr && base.weights != nullptr) {
    const auto pass = exact_pass(
        *subject.weights, *base.weights, alignment.layers,
        {.experts = &alignment.experts, .threads = options.threads, .progress = options.progress});
    if (!pass) return std::unexpected(pass.error());
    auto rows = rows_of(*pass, true);
    add_tensors_without_role(*subject.weights, rows);
    return rows;
  }
  if (subject.sketch.digests && base.sketch.digests) {
    return rows_of(exact_pass(*subject.sketch.digests, *base.sketch.digests, alignment.layers),
                   false);
  }
  std::vector<TensorRow> rows;
  for (const RoleChange& part : change) {
    std::string name = part.layer < 0 ? part.role : fmt::format("{}.{}", part.layer, part.role);
    if (part.expert >= 0) name += fmt::format(".{}", part.expert);
    rows.push_back({.name = name,
                    .role = part.role,
                    .layer = part.layer,
                    .base_name = part.role,
                    .state = part.exact ? "equal" : "changed",
                    .relative_delta = part.relative_delta});
  }
  return rows;
}

}  // namespace pedigree
