// A matrix that a quantiser stores as several tensors, described so that one reader
// decodes them all.
//
// A value is made of a code, the scale and zero point of its block, and factors of the
// whole tensor:
//
//   ((code looked up, or code − zero) × scale × tensor scale) or (code × scale + zero)
//
// in the order of the codes, in F32 as its decoder does; weight_norm.cc says of one that is none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/problem.h"
#include "model/packings/number_field.h"

namespace pedigree {

struct Packing;

struct PackedMatrix {
  // One number for each block of codes: row ÷ row_group, column ÷ col_group.
  struct Grid {
    NumberField numbers = {};
    std::uint64_t row_group = 1;
    std::uint64_t col_group = 1;
  };

  // Scales that are quantised themselves: table[code] × scale + offset (bitsandbytes).
  struct Nested {
    NumberField table = {};   // a column of values by code
    NumberField scales = {};  // a column
    std::uint64_t group = 1;  // codes that share a scale
    float offset = 0;
  };

  const Packing* packing = nullptr;
  std::string name = {};                  // of the matrix: "model.layers.0.mlp.up_proj.weight"
  std::vector<std::uint64_t> shape = {};  // as it would be stored unpacked: [out, in]
  bool transposed = false;                // rows of codes are inputs
  std::vector<std::size_t> parts = {};    // indices into Model::tensors, the codes first

  NumberField codes = {};
  std::vector<float> table = {};                // values by code; empty: the code itself
  std::optional<NumberField> table_field = {};  // the same, still to be read: a column
  float code_offset = 0;                        // taken off codes
  std::optional<Grid> scale = {};
  std::optional<Nested> nested = {};  // what the numbers of `scale` are codes of
  std::optional<Grid> zero = {};
  float zero_offset = 0;  // added to stored zero points
  // Before scaling, how far beyond the largest code values are still cut off to it.
  float cut_off = 0;
  bool zero_is_bias = false;  // added after scaling
  // Which row of `scale` and `zero` serves a row of codes, or with groups_are_columns
  // which column serves a column: group indices where they are not in order.
  std::optional<NumberField> groups = {};
  bool groups_are_columns = false;
  std::optional<NumberField> tensor_scale = {};  // one number
  bool divides_by_tensor_scale = false;
  float factor = 1;

  std::uint64_t rows() const;     // lines of values as stored, of all matrices of a stack
  std::uint64_t columns() const;  // values in a line
  std::uint64_t count() const { return rows() * columns(); }
};

// Throws Malformed (packed-tensor) where a part is too small for what it has to hold, or
// blocks do not cover the codes.
void check_packed(const Model& model, const PackedMatrix& matrix);

// Reads values of one packed matrix; not for use by two threads at once.
class PackedReader {
 public:
  enum class What {
    values,
    steps  // the widest distance from each value to the next the quantiser could have stored
  };

  PackedReader(const Model& model, const PackedMatrix& matrix);
  ~PackedReader();

  // Values or steps [first, first + out.size()) of the matrix in the order of the codes.
  // Problems: packed-tensor for a group index beyond the scales, and those of reading.
  std::optional<Problem> read(std::uint64_t first, std::span<float> out, What what = What::values);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace pedigree
