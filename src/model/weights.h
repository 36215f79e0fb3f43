// Numbers out of a model: rows and sub-blocks of canonical tensors, and whole
// tensors as a stream. Values are exact floats (element_types.h); of matrices spread over
// several tensors, what the quantiser's decoder makes of them in F32 (packed_matrix.h).
//
// A row of a tensor stored as [out, in] is one read; where it is stored
// transposed, a row costs a strided pass over the stored rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"

namespace pedigree {

// rows.size() × tensor.cols values, row-major. Rows must be below tensor.rows.
Result<std::vector<float>> read_rows(const Model& model, const CanonicalTensor& tensor,
                                     std::span<const std::uint64_t> rows);

// rows.size() × cols.size() values, row-major.
Result<std::vector<float>> read_block(const Model& model, const CanonicalTensor& tensor,
                                      std::span<const std::uint64_t> rows,
                                      std::span<const std::uint64_t> cols);

// Does a quantiser's own encoding say how far its values may lie from what it was given?
bool has_steps(const Model& model, const CanonicalTensor& tensor);

// The same places of such a matrix: the widest distance from each value to the next one its
// quantiser could have stored.
Result<std::vector<float>> read_block_steps(const Model& model, const CanonicalTensor& tensor,
                                            std::span<const std::uint64_t> rows,
                                            std::span<const std::uint64_t> cols);

// All values; for vectors and matrices known to be small.
Result<std::vector<float>> read_all(const Model& model, const CanonicalTensor& tensor);

// The stored bytes of one tensor in file order, in chunks that are a multiple of
// 64 bytes but the last; at most `chunk_bytes` of memory.
std::optional<Problem> stream_bytes(
    const Model& model, const StoredTensor& tensor, std::size_t chunk_bytes,
    const std::function<std::optional<Problem>(std::span<const std::byte>)>& sink);

// Rows [first, first+count) of the canonical tensor in ascending order, in
// chunks of whole rows of at most about `chunk_bytes` of floats.
std::optional<Problem> stream_rows(
    const Model& model, const CanonicalTensor& tensor, std::size_t chunk_bytes,
    const std::function<std::optional<Problem>(std::uint64_t first_row,
                                               std::span<const float> values)>& sink);

}  // namespace pedigree
