#include "formats/onnx_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

namespace pedigree {
namespace {

// Number, name, ElementType::id ("" where it is not decoded), field of typed values, and the
// bytes that one number of that field stands for.
using Row =
    std::tuple<std::uint64_t, std::string_view, std::string_view, std::uint64_t, std::uint64_t>;

// TensorProto.DataType of onnx.proto. Numbers of four bits stand two in a number of
// int32_data, as they stand two in a byte of raw_data: the first in the low half.
constexpr std::array table = {
    Row{1, "FLOAT", "F32", 4, 4},
    Row{2, "UINT8", "U8", 5, 1},
    Row{3, "INT8", "I8", 5, 1},
    Row{4, "UINT16", "U16", 5, 2},
    Row{5, "INT16", "I16", 5, 2},
    Row{6, "INT32", "I32", 5, 4},
    Row{7, "INT64", "I64", 7, 8},
    Row{8, "STRING", "", 6, 0},
    Row{9, "BOOL", "BOOL", 5, 1},
    Row{10, "FLOAT16", "F16", 5, 2},
    Row{11, "DOUBLE", "F64", 10, 8},
    Row{12, "UINT32", "U32", 11, 4},
    Row{13, "UINT64", "U64", 11, 8},
    Row{14, "COMPLEX64", "C64", 4, 8},
    Row{15, "COMPLEX128", "", 10, 16},
    Row{16, "BFLOAT16", "BF16", 5, 2},
    Row{17, "FLOAT8E4M3FN", "F8_E4M3", 5, 1},
    Row{18, "FLOAT8E4M3FNUZ", "F8_E4M3FNUZ", 5, 1},
    Row{19, "FLOAT8E5M2", "F8_E5M2", 5, 1},
    Row{20, "FLOAT8E5M2FNUZ", "F8_E5M2FNUZ", 5, 1},
    Row{21, "UINT4", "U4", 5, 1},
    Row{22, "INT4", "I4", 5, 1},
    Row{23, "FLOAT4E2M1", "F4", 5, 1},
    Row{24, "FLOAT8E8M0", "F8_E8M0", 5, 1},
    Row{25, "UINT2", "", 5, 1},
    Row{26, "INT2", "", 5, 1},
};

}  // namespace

OnnxType onnx_type(std::uint64_t data_type) {
  const auto* const row =
      std::ranges::find_if(table, [&](const Row& each) { return std::get<0>(each) == data_type; });
  if (row == table.end()) {
    return {.type = &opaque_type(), .name = fmt::format("data type {}", data_type)};
  }
  const auto& [known, name, id, field, packed_bytes] = *row;
  const ElementType* type = find_element_type(id);
  return {.type = type == nullptr ? &opaque_type() : type,
          .name = std::string(name),
          .field = field,
          .packed_bytes = packed_bytes};
}

}  // namespace pedigree
