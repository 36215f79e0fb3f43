// Units of a matrix as rows over residual dimensions, whichever way it lies: rows of
// what reads the residual stream, columns of what writes to it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/model.h"
#include "tensor/matrix.h"

namespace pedigree {

std::uint64_t units_of(const CanonicalTensor& tensor);
std::uint64_t residual_width_of(const CanonicalTensor& tensor);

// units × dimensions, as stored; both lists within the tensor. Reads whole rows where all
// dimensions of a reader are asked for, else single values.
Result<Matrix> residual_rows(const Model& model, const CanonicalTensor& tensor,
                             const std::vector<std::uint64_t>& units,
                             const std::vector<std::uint64_t>& dimensions);

// Whole rows as the norm in front of the tensor lets them see the residual stream: times its
// gain where the tensor reads, and less their mean in LayerNorm models.
std::optional<Problem> pass_norm(const Model& model, const CanonicalTensor& tensor, Matrix& rows);

}  // namespace pedigree
