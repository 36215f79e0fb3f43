// NumPy arrays: a magic, a version, and a Python dictionary of exactly three keys.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "formats/formats.h"

namespace pedigree {

struct NpyHeader {
  std::string descr = {};  // "<f4", "|O"; "" for records
  bool column_major = false;
  std::vector<std::uint64_t> shape = {};
  std::uint64_t bytes = 0;  // of the header: the array's first byte
};

// Where an array with its header lies.
struct NpyPlace {
  Extent stored = {};
  bool deflated = false;
  std::uint64_t bytes = 0;  // unpacked, header included
};

// Reads the header of the array that begins at `place`. Throws Malformed
// (npy-header). Source: numpy/lib/format.py, versions 1.0 to 3.0.
NpyHeader read_npy_header(const Source& source, const NpyPlace& place, const Limits& limits);

// Adds the array to `file` under `name`. An array of objects is a pickle, which is
// decoded inertly: the numeric arrays in it are added under their keys.
void add_npy(const Source& source, const std::string& name, const NpyPlace& place,
             const Limits& limits, WeightFile& file);

}  // namespace pedigree
