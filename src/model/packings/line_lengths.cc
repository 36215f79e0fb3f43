#include "model/packings/line_lengths.h"

#include <algorithm>
#include <cmath>

#include "model/model.h"

namespace pedigree {
namespace {

constexpr std::uint64_t at_once = 16'384;

// All codes as one row: runs of them are not those of any axis.
NumberField in_a_row(const NumberField& codes) {
  NumberField row = codes;
  row.rows = 1;
  row.cols = codes.count();
  return row;
}

// Directions without lengths there are none: their packing makes both.
PackedMatrix::Grid grid_of(const PackedMatrix& matrix) {
  return matrix.scale.value_or(PackedMatrix::Grid{});
}

}  // namespace

LineLengths::LineLengths(const Model& model, const PackedMatrix& matrix)
    : codes_(in_a_row(matrix.codes)),
      places_(grid_of(matrix).numbers.cols),
      run_(grid_of(matrix).col_group),
      code_reader_(model, codes_),
      length_reader_(model, grid_of(matrix).numbers),
      is_outermost_(matrix.codes.rows == 1) {}

std::optional<Problem> LineLengths::sum_squares(std::uint64_t first, std::uint64_t count,
                                                double& sum) {
  buffer_.resize(std::min(count, at_once));
  code_reader_.expect(count);
  for (std::uint64_t done = 0; done < count;) {
    const auto part =
        std::span(buffer_).first(std::min<std::uint64_t>(buffer_.size(), count - done));
    if (auto problem = code_reader_.read(0, first + done, part)) return problem;
    for (const float each : part) sum += static_cast<double>(each) * static_cast<double>(each);
    done += part.size();
  }
  return std::nullopt;
}

std::optional<Problem> LineLengths::sum_all() {
  squares_.assign(places_, 0);
  for (std::uint64_t first = 0; first < codes_.cols; first += run_) {
    const std::uint64_t place = first / run_ % squares_.size();
    if (auto problem = sum_squares(first, run_, squares_[place])) return problem;
  }
  return std::nullopt;
}

std::optional<Problem> LineLengths::set_factor(std::uint64_t place, double squares) {
  float length = 0;
  length_reader_.expect(1024);
  if (auto problem = length_reader_.read(0, place, std::span(&length, 1))) return problem;
  factor_ = squares > 0 ? static_cast<double>(length) / std::sqrt(squares) : 0;
  place_ = place;
  return std::nullopt;
}

std::optional<Problem> LineLengths::use(std::uint64_t place) {
  if (place_ == place) return std::nullopt;
  if (!is_outermost_) {
    if (squares_.empty()) {
      if (auto problem = sum_all()) return problem;
    }
    return set_factor(place, squares_[place]);
  }
  double squares = 0;
  if (auto problem = sum_squares(place * run_, run_, squares)) return problem;
  return set_factor(place, squares);
}

std::optional<Problem> LineLengths::scale(std::uint64_t first, std::span<float> values) {
  for (std::size_t i = 0; i < values.size();) {
    const std::uint64_t at = first + i;
    if (auto problem = use(at / run_ % places_)) return problem;
    const std::uint64_t left = run_ - at % run_;
    const std::size_t end = i + std::min<std::uint64_t>(left, values.size() - i);
    for (; i < end; ++i) values[i] = static_cast<float>(static_cast<double>(values[i]) * factor_);
  }
  return std::nullopt;
}

}  // namespace pedigree
