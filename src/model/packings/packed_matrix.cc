#include "model/packings/packed_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "model/model.h"
#include "model/packings/line_lengths.h"
#include "model/packings/packings.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "packed-tensor";

void check_grid(const Model& model, const PackedMatrix& matrix, const PackedMatrix::Grid& grid) {
  check_field(model, grid.numbers);
  if (grid.row_group == 0 || grid.col_group == 0) malformed(code, "groups of no numbers");
  const bool rows_by_index = matrix.groups && !matrix.groups_are_columns;
  const bool columns_by_index = matrix.groups && matrix.groups_are_columns;
  const bool covered =
      (rows_by_index || (matrix.codes.rows - 1) / grid.row_group < grid.numbers.rows) &&
      (columns_by_index || (matrix.codes.cols - 1) / grid.col_group < grid.numbers.cols);
  if (covered) return;
  malformed(code, fmt::format("{} by {} scales do not cover {} by {} codes in groups of {} by {}",
                              grid.numbers.rows, grid.numbers.cols, matrix.codes.rows,
                              matrix.codes.cols, grid.row_group, grid.col_group));
}

// For each value of a table, the distance to the farther of its neighbours.
std::vector<float> gaps_of(std::span<const float> table) {
  std::vector<float> sorted(table.begin(), table.end());
  std::ranges::sort(sorted);
  const auto repeated = std::ranges::unique(sorted);
  sorted.erase(repeated.begin(), repeated.end());
  std::vector<float> gaps;
  for (const float value : table) {
    const auto at = std::ranges::lower_bound(sorted, value);
    float gap = 0;
    if (at != sorted.end() && at != sorted.begin()) gap = value - *(at - 1);
    if (at != sorted.end() && at + 1 != sorted.end()) gap = std::max(gap, *(at + 1) - value);
    gaps.push_back(gap);
  }
  return gaps;
}

// A unit in the last place of a small float, in the binade of `value`.
float unit_of(const ElementType& type, float value) {
  const int exponent = value == 0 || !std::isfinite(value) ? type.smallest_exponent
                                                           : std::ilogb(value) - type.precision + 1;
  return std::ldexp(1.0F, std::max(exponent, type.smallest_exponent));
}

// Below `size`, and neither negative nor NaN: files may store anything where indices belong.
bool is_index(float number, std::uint64_t size) {
  return number >= 0 && number < static_cast<float>(size);
}

// The value of a code; 0 for one beyond the table.
float looked_up(std::span<const float> table, float number) {
  return is_index(number, table.size()) ? table[static_cast<std::size_t>(number)] : 0;
}

constexpr std::uint64_t at_once = 16'384;

// Scales of fewer are chosen first and values rounded with them as they are.
constexpr int few_digits = 8;

}  // namespace

std::uint64_t PackedMatrix::rows() const {
  std::uint64_t rows = 1;
  for (const std::uint64_t size : shape) rows *= size;
  return rows / columns();
}

std::uint64_t PackedMatrix::columns() const { return transposed ? shape[0] : shape.back(); }

void check_packed(const Model& model, const PackedMatrix& matrix) {
  check_field(model, matrix.codes);
  if (matrix.codes.count() < matrix.count()) malformed(code, "fewer codes than values");
  if (matrix.scale) check_grid(model, matrix, *matrix.scale);
  if (matrix.zero) check_grid(model, matrix, *matrix.zero);
  if (matrix.groups) check_field(model, *matrix.groups);
  if (matrix.tensor_scale) check_field(model, *matrix.tensor_scale);
  if (matrix.table_field) check_field(model, *matrix.table_field);
  if (!matrix.nested) return;
  check_field(model, matrix.nested->table);
  check_field(model, matrix.nested->scales);
  const bool covered =
      matrix.scale && matrix.nested->group > 0 &&
      (matrix.scale->numbers.count() - 1) / matrix.nested->group < matrix.nested->scales.rows;
  if (!covered) malformed(code, "the scales of scales do not cover them");
}

class PackedReader::State {
 public:
  State(const Model& model, const PackedMatrix& matrix)
      : model_(model), matrix_(matrix), codes_(model, matrix.codes) {
    if (matrix.scale) scale_ = std::make_unique<FieldReader>(model, matrix.scale->numbers);
    if (matrix.zero) zero_ = std::make_unique<FieldReader>(model, matrix.zero->numbers);
    if (matrix.groups) {
      groups_ = std::make_unique<FieldReader>(model, *matrix.groups);
      groups_name_ = model.tensors[matrix.groups->tensor].entry.name;
    }
    if (matrix.nested) {
      nested_ = &*matrix.nested;
      nested_scales_ = std::make_unique<FieldReader>(model, matrix.nested->scales);
    }
    if (matrix.packing != nullptr && matrix.packing->normalises)
      lengths_ = std::make_unique<LineLengths>(model, matrix);
    table_ = matrix.table;
  }

  std::optional<Problem> read(std::uint64_t first, std::span<float> out, What what) {
    if (!prepared_) {
      if (auto problem = prepare()) return problem;
    }
    codes_.expect(out.size());
    const std::uint64_t width = matrix_.codes.cols;
    while (!out.empty()) {
      const std::uint64_t row = first / width;
      const std::uint64_t col = first % width;
      const std::uint64_t count =
          std::min({static_cast<std::uint64_t>(out.size()), width - col, at_once});
      if (auto problem = read_run(row, col, out.first(count), what)) return problem;
      first += count;
      out = out.subspan(count);
    }
    return std::nullopt;
  }

 private:
  // What is one for the whole matrix.
  std::optional<Problem> prepare() {
    if (matrix_.table_field) {
      if (auto problem = read_column(*matrix_.table_field, table_)) return problem;
    }
    if (!table_.empty()) gaps_ = gaps_of(table_);
    if (nested_ != nullptr) {
      if (auto problem = read_column(nested_->table, nested_table_)) return problem;
    }
    if (matrix_.tensor_scale) {
      std::vector<float> one;
      if (auto problem = read_column(*matrix_.tensor_scale, one)) return problem;
      tensor_scale_ = one.front();
    }
    if (table_.empty()) largest_ = static_cast<float>(element().largest);
    for (const float value : table_) largest_ = std::max(largest_, std::fabs(value));
    if (matrix_.scale) {
      const int precision = type_of(matrix_.scale->numbers).precision;
      if (precision >= few_digits && precision < 24) slack_ = std::ldexp(1.0F, 1 - precision);
    }
    prepared_ = true;
    return std::nullopt;
  }

  std::optional<Problem> read_column(const NumberField& field, std::vector<float>& out) const {
    out.resize(field.rows);
    FieldReader reader(model_, field);
    for (std::uint64_t row = 0; row < field.rows; ++row) {
      if (auto problem = reader.read(row, 0, std::span(out).subspan(row, 1))) return problem;
    }
    return std::nullopt;
  }

  Problem bad_group(float group) const {
    return make_problem(code, groups_->file(),
                        fmt::format("\"{}\" names group {}, and there are fewer",
                                    shown(groups_name_.substr(0, 200)), group));
  }

  // The row of a grid that serves a row of codes.
  std::optional<Problem> grid_row(const PackedMatrix::Grid& grid, std::uint64_t row,
                                  std::uint64_t& out) {
    out = row / grid.row_group;
    if (!groups_ || matrix_.groups_are_columns) return std::nullopt;
    float group = 0;
    groups_->expect(1024);
    if (auto problem = groups_->read(row, 0, std::span(&group, 1))) return problem;
    if (!is_index(group, grid.numbers.rows)) return bad_group(group);
    out = static_cast<std::uint64_t>(group);
    return std::nullopt;
  }

  // One number of a grid for each column of a run of codes.
  std::optional<Problem> spread(const PackedMatrix::Grid& grid, FieldReader& reader,
                                std::uint64_t row, std::uint64_t col, std::vector<float>& out) {
    std::uint64_t at = 0;
    if (auto problem = grid_row(grid, row, at)) return problem;
    if (groups_ && matrix_.groups_are_columns) return spread_by_index(grid, reader, at, col, out);
    const std::uint64_t begin = col / grid.col_group;
    const std::uint64_t end = (col + out.size() - 1) / grid.col_group + 1;
    numbers_.resize(end - begin);
    reader.expect(1024);
    if (auto problem = reader.read(at, begin, numbers_)) return problem;
    if (nested_ != nullptr && &reader == scale_.get()) {
      if (auto problem = unnest(at * grid.numbers.cols + begin)) return problem;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = numbers_[(col + i) / grid.col_group - begin];
    }
    return std::nullopt;
  }

  std::optional<Problem> spread_by_index(const PackedMatrix::Grid& grid, FieldReader& reader,
                                         std::uint64_t row, std::uint64_t col,
                                         std::vector<float>& out) {
    numbers_.resize(grid.numbers.cols);
    if (auto problem = reader.read(row, 0, numbers_)) return problem;
    groups_->expect(out.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      float group = 0;
      if (auto problem = groups_->read(col + i, 0, std::span(&group, 1))) return problem;
      if (!is_index(group, numbers_.size())) return bad_group(group);
      out[i] = numbers_[static_cast<std::size_t>(group)];
    }
    return std::nullopt;
  }

  std::optional<Problem> unnest(std::uint64_t first) {
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      float scale = 0;
      nested_scales_->expect(1024);
      const std::uint64_t row = (first + i) / nested_->group;
      if (auto problem = nested_scales_->read(row, 0, std::span(&scale, 1))) {
        return problem;
      }
      numbers_[i] = looked_up(nested_table_, numbers_[i]) * scale + nested_->offset;
    }
    return std::nullopt;
  }

  std::optional<Problem> read_run(std::uint64_t row, std::uint64_t col, std::span<float> out,
                                  What what) {
    if (auto problem = codes_.read(row, col, out)) return problem;
    if (lengths_) return lengths_->scale(row * matrix_.codes.cols + col, out);
    run_.assign(out.begin(), out.end());
    scales_.assign(out.size(), 1);
    zeros_.assign(out.size(), 0);
    if (matrix_.scale) {
      if (auto problem = spread(*matrix_.scale, *scale_, row, col, scales_)) return problem;
    }
    if (matrix_.zero) {
      if (auto problem = spread(*matrix_.zero, *zero_, row, col, zeros_)) return problem;
    }
    decode(out);
    if (what == What::steps) measure(out);
    return std::nullopt;
  }

  void decode(std::span<float> out) const {
    for (std::size_t i = 0; i < out.size(); ++i) {
      float value = table_.empty() ? out[i] - matrix_.code_offset : looked_up(table_, out[i]);
      float scale = scales_[i];
      if (matrix_.divides_by_tensor_scale) {
        scale /= tensor_scale_;
      } else {
        scale *= tensor_scale_;
      }
      if (matrix_.zero_is_bias) {
        out[i] = value * scale + zeros_[i];
        continue;
      }
      if (zero_) value -= zeros_[i] + matrix_.zero_offset;
      out[i] = value * scale * matrix_.factor;
    }
  }

  // Distance from a code to the farther of those beside it, before scaling.
  float gap_at(float number) const {
    const bool floats = matrix_.codes.order == NumberField::Order::elements && element().precision;
    float value = number;
    float gap = 1;
    if (floats) gap = unit_of(element(), number);
    if (!table_.empty()) {
      value = looked_up(table_, number);
      gap = looked_up(gaps_, number);
    }
    const bool integers = table_.empty() && !floats;
    const float top = static_cast<float>((1U << matrix_.codes.bits) - 1);
    const bool outermost = integers ? number == 0 || number == top : std::fabs(value) >= largest_;
    return outermost ? std::max(gap, 2 * matrix_.cut_off) : gap;
  }

  // Quantisers may round scales after they rounded values with them; then a value is off by
  // what the scale is.
  void measure(std::span<float> out) const {
    const float whole = matrix_.divides_by_tensor_scale ? 1 / tensor_scale_ : tensor_scale_;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const float scale = scales_[i] * whole * matrix_.factor;
      const float step = std::fabs(gap_at(run_[i]) * scale) + std::fabs(out[i]) * slack_;
      out[i] = std::isfinite(step) ? step : 0;
    }
  }

  const ElementType& type_of(const NumberField& field) const {
    return field.type != nullptr ? *field.type : *model_.tensors[field.tensor].entry.type;
  }
  const ElementType& element() const { return type_of(matrix_.codes); }

  const Model& model_;
  const PackedMatrix& matrix_;
  FieldReader codes_;
  std::unique_ptr<FieldReader> scale_;
  std::unique_ptr<FieldReader> zero_;
  std::unique_ptr<FieldReader> groups_;
  std::string groups_name_;
  const PackedMatrix::Nested* nested_ = nullptr;
  std::unique_ptr<FieldReader> nested_scales_;
  std::unique_ptr<LineLengths> lengths_;
  bool prepared_ = false;
  float tensor_scale_ = 1;
  float largest_ = 0;  // value of a code
  float slack_ = 0;    // relative
  std::vector<float> table_;
  std::vector<float> gaps_;
  std::vector<float> nested_table_;
  std::vector<float> run_;  // codes
  std::vector<float> numbers_;
  std::vector<float> scales_;
  std::vector<float> zeros_;
};

PackedReader::PackedReader(const Model& model, const PackedMatrix& matrix)
    : state_(std::make_unique<State>(model, matrix)) {}

PackedReader::~PackedReader() = default;

std::optional<Problem> PackedReader::read(std::uint64_t first, std::span<float> out, What what) {
  return state_->read(first, out, what);
}

}  // namespace pedigree
