// Tensors that lie in parts in several files, as one source.
//
// Tensor-parallel training cuts a matrix into blocks of rows or of columns and
// gives each file one of them. Read here, the whole stands in row-major order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/source.h"
#include "model/model.h"

namespace pedigree {

// One part's share of each row of the whole; blocks of rows are one long row.
struct TensorPart {
  const Source* source = nullptr;  // outlives the joined source
  std::uint64_t begin = 0;         // of the first row's share
  std::uint64_t row_bytes = 0;
};

struct JoinedTensor {
  TensorEntry entry = {};  // of the whole; its extent begins at 0 until it is placed
  std::uint64_t rows = 1;
  std::vector<TensorPart> parts = {};  // in the order of their columns
  FilePlace first_part = {};           // for reports
};

// A source of all `tensors`, one after the other, whose extents it sets. It goes by
// the name of the first part's file. Costs a read for each part of each row.
std::unique_ptr<Source> joined_source(std::vector<JoinedTensor>& tensors);

}  // namespace pedigree
