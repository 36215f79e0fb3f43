#include "formats/pickled_types.h"

#include <array>
#include <tuple>

#include "base/problem.h"
#include "base/text.h"

namespace pedigree {
namespace {

// Name; id in our table, "" where it has none; bytes.
using Row = std::tuple<std::string_view, std::string_view, std::size_t>;

constexpr std::array torch_rows = {
    Row{"FloatStorage", "F32", 4},
    Row{"DoubleStorage", "F64", 8},
    Row{"HalfStorage", "F16", 2},
    Row{"BFloat16Storage", "BF16", 2},
    Row{"LongStorage", "I64", 8},
    Row{"IntStorage", "I32", 4},
    Row{"ShortStorage", "I16", 2},
    Row{"CharStorage", "I8", 1},
    Row{"ByteStorage", "U8", 1},
    Row{"BoolStorage", "BOOL", 1},
    Row{"ComplexFloatStorage", "C64", 8},
    Row{"ComplexDoubleStorage", "", 16},
    Row{"QInt8Storage", "I8", 1},
    Row{"QUInt8Storage", "U8", 1},
    Row{"QInt32Storage", "I32", 4},
    Row{"float32", "F32", 4},
    Row{"float", "F32", 4},
    Row{"float64", "F64", 8},
    Row{"double", "F64", 8},
    Row{"float16", "F16", 2},
    Row{"half", "F16", 2},
    Row{"bfloat16", "BF16", 2},
    Row{"int64", "I64", 8},
    Row{"long", "I64", 8},
    Row{"int32", "I32", 4},
    Row{"int", "I32", 4},
    Row{"int16", "I16", 2},
    Row{"short", "I16", 2},
    Row{"int8", "I8", 1},
    Row{"uint8", "U8", 1},
    Row{"uint16", "U16", 2},
    Row{"uint32", "U32", 4},
    Row{"uint64", "U64", 8},
    Row{"bool", "BOOL", 1},
    Row{"complex64", "C64", 8},
    Row{"complex128", "", 16},
    Row{"qint8", "I8", 1},
    Row{"float8_e4m3fn", "F8_E4M3", 1},
    Row{"float8_e5m2", "F8_E5M2", 1},
    Row{"float8_e4m3fnuz", "F8_E4M3FNUZ", 1},
    Row{"float8_e5m2fnuz", "F8_E5M2FNUZ", 1},
    Row{"float8_e8m0fnu", "F8_E8M0", 1},
    Row{"float4_e2m1fn_x2", "", 1},
};

constexpr std::array numpy_rows = {
    Row{"f2", "F16", 2}, Row{"f4", "F32", 4}, Row{"f8", "F64", 8}, Row{"i1", "I8", 1},
    Row{"i2", "I16", 2}, Row{"i4", "I32", 4}, Row{"i8", "I64", 8}, Row{"u1", "U8", 1},
    Row{"u2", "U16", 2}, Row{"u4", "U32", 4}, Row{"u8", "U64", 8}, Row{"b1", "BOOL", 1},
    Row{"c8", "C64", 8}, Row{"c16", "", 16},
};

template <std::size_t N>
std::optional<PickledType> find(const std::array<Row, N>& rows, std::string_view name) {
  for (const auto& [known, id, bytes] : rows) {
    if (known != name) continue;
    const ElementType* type = id.empty() ? &opaque_type() : find_element_type(id);
    check(type != nullptr, "an element type the table does not have");
    return PickledType{.type = type, .bytes = bytes, .name = std::string(name)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<PickledType> torch_type(std::string_view name) { return find(torch_rows, name); }

std::optional<PickledType> numpy_type(std::string_view descr) {
  std::string_view name = descr;
  char order = '|';
  if (!name.empty() && std::string_view("<>|=").find(name.front()) != std::string_view::npos) {
    order = name.front();
    name.remove_prefix(1);
  }
  auto type = find(numpy_rows, name);
  if (!type && name.starts_with('V')) {
    // Types NumPy does not have, BF16 among them, are saved as plain bytes.
    const auto bytes = whole_number<std::uint32_t>(name.substr(1));
    if (bytes && *bytes > 0 && *bytes <= 16) {
      type = PickledType{.type = &opaque_type(), .bytes = *bytes, .name = {}};
    }
  }
  if (!type) return std::nullopt;
  type->name = std::string(descr);
  type->big_endian = order == '>' && type->bytes > 1;
  return type;
}

std::string type_name(const PickledType& type) {
  return type.type == &opaque_type() ? type.name : std::string(type.type->id);
}

std::size_t bytes_to_swap(const PickledType& type) {
  if (!type.big_endian || type.bytes < 2) return 0;
  const bool pair = type.type->kind == ElementType::Kind::complex || type.bytes == 16;
  return pair ? type.bytes / 2 : type.bytes;
}

}  // namespace pedigree
