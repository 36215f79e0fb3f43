// Bytes of a file for a reader, which may only throw Malformed.
#pragma once

#include <string>

#include "base/source.h"
#include "tensor/tensor.h"

namespace pedigree {

// The bytes of `extent`, which the caller has bounded. Throws the source's own
// io problem as Malformed.
std::string read_text(const Source& source, Extent extent);

// `name` in quotes for a message, cut to a length a person reads.
std::string quoted(std::string_view name);

}  // namespace pedigree
