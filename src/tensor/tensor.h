// What a tensor is: a name, an element type, a shape, and where its bytes lie.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/element_types.h"

namespace pedigree {

struct Extent {
  std::uint64_t begin = 0;  // bytes from the start of the file
  std::uint64_t end = 0;    // exclusive

  std::uint64_t size() const { return end - begin; }
  bool operator==(const Extent&) const = default;
};

struct TensorEntry {
  std::string name = {};                  // valid UTF-8; bad bytes percent-escaped
  const ElementType* type = nullptr;      // never null once read; a row of the table
  std::string type_name = {};             // as the file spells it
  std::vector<std::uint64_t> shape = {};  // row-major, outermost first; empty for a scalar
  Extent extent = {};

  std::uint64_t element_count() const;  // product of shape; checked when the file was read
};

}  // namespace pedigree
