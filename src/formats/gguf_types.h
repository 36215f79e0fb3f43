// What the type numbers of GGUF mean.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "tensor/element_types.h"

namespace pedigree {

struct GgufType {
  const ElementType* type = nullptr;  // opaque_type() where it is not decoded
  std::string name = {};              // "Q4_K", "IQ4_KS", "ggml type 200"
};

// Never fails: a number nobody has told us about is opaque under its number. In
// big-endian files more types are opaque (big_endian_type).
GgufType gguf_type(std::uint32_t id, std::endian order);

}  // namespace pedigree
