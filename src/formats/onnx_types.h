// What the data types of ONNX mean, and which fields of a TensorProto hold their values.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/element_types.h"

namespace pedigree {

struct OnnxType {
  const ElementType* type = nullptr;  // opaque_type() where it is not decoded
  std::string name = {};              // "FLOAT16", "data type 99"
  std::uint64_t field = 0;            // of typed values: 4 float_data, 5 int32_data, …; 0: none
  std::uint64_t packed_bytes = 0;     // that one number of that field stands for
};

// Never fails: a number nobody has told us about is opaque under its number.
OnnxType onnx_type(std::uint64_t data_type);

}  // namespace pedigree
