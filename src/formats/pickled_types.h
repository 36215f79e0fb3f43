// Element types as PyTorch and NumPy spell them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "tensor/element_types.h"

namespace pedigree {

struct PickledType {
  const ElementType* type = nullptr;  // the opaque type where ours has none
  std::size_t bytes = 0;              // an element
  std::string name = {};              // as the file spells it
  bool big_endian = false;
};

// "FloatStorage", "float16", "float8_e4m3fn"; none when unknown.
std::optional<PickledType> torch_type(std::string_view name);

// "<f4", "|u1", ">f8", "f2"; none for objects, texts and records.
std::optional<PickledType> numpy_type(std::string_view descr);

// The table's name of the type, and the file's where the table has none.
std::string type_name(const PickledType& type);

// The bytes whose order is reversed when the file's is not ours: half an element
// for complex numbers.
std::size_t bytes_to_swap(const PickledType& type);

}  // namespace pedigree
