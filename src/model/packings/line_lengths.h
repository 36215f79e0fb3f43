// Values given as directions and lengths: torch's weight normalisation. What has one place on an
// axis is divided by its own Euclidean length and multiplied by the one that is stored.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/problem.h"
#include "model/packings/packed_matrix.h"

namespace pedigree {

// Scales directions that were read to the values they stand for; not for use by two threads at
// once. Sums are in F64 and in the order of the file, so that values are the same bits anywhere.
class LineLengths {
 public:
  // Codes stand in rows that hold each place of the axis once; `scale` has one number a place.
  LineLengths(const Model& model, const PackedMatrix& matrix);

  // `values` are codes [first, first + values.size()). Nothing makes a value of codes that are
  // all zero: they stay so.
  std::optional<Problem> scale(std::uint64_t first, std::span<float> values);

 private:
  std::optional<Problem> sum_squares(std::uint64_t first, std::uint64_t count, double& sum);
  std::optional<Problem> sum_all();
  std::optional<Problem> use(std::uint64_t place);
  std::optional<Problem> set_factor(std::uint64_t place, double squares);

  NumberField codes_;
  std::uint64_t places_ = 0;
  std::uint64_t run_ = 0;  // codes behind each other that have one place
  FieldReader code_reader_;
  FieldReader length_reader_;
  bool is_outermost_ = false;    // codes of one place lie all behind each other
  std::vector<double> squares_;  // by place, where they do not
  std::vector<float> buffer_;
  std::optional<std::uint64_t> place_;  // that factor_ is of
  double factor_ = 1;
};

}  // namespace pedigree
