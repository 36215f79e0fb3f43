// The records at the end of a zip archive, which say where its directory lies.
#pragma once

#include <cstdint>

#include "base/source.h"
#include "tensor/tensor.h"

namespace pedigree {

struct ZipEnd {
  Extent directory = {};      // the central directory
  std::uint64_t members = 0;  // it claims to have
};

// Reads the end record and, where there is one, its 64-bit twin. Throws Malformed
// (zip-malformed, zip-differential) when they disagree or anything lies between
// the directory, the records and the end of the file.
ZipEnd read_zip_end(const Source& source);

}  // namespace pedigree
