#include "model/weights.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/problem.h"
#include "model/packings/packed_matrix.h"
#include "model/packings/packings.h"
#include "tensor/block_steps.h"

namespace pedigree {
namespace {

constexpr std::uint64_t window_bytes = std::uint64_t{1} << 20U;

// Wanted columns nearer than this are fetched by one read: below a page, the
// bytes in between cost less than another call.
constexpr std::uint64_t gap_bytes = 4096;

// A stored tensor as a matrix of elements: row-major, `columns` to a row; of higher
// rank, matrices below each other. A vector is one row, so that its elements can be
// fetched in runs. A packed matrix is one of its values.
class StoredMatrix {
 public:
  using What = PackedReader::What;

  StoredMatrix(const Model& model, const CanonicalTensor& tensor, What what = What::values)
      : source_(*model.shards[model.tensors[tensor.tensor].shard]),
        entry_(model.tensors[tensor.tensor].entry),
        columnwise_(tensor.transposed),
        what_(what) {
    if (tensor.packed) {
      const PackedMatrix& matrix = model.packed[*tensor.packed];
      packed_ = std::make_unique<PackedReader>(model, matrix);
      rows_ = matrix.rows();
      columns_ = matrix.columns();
      return;
    }
    for (const std::uint64_t dimension : entry_.shape) {
      rows_ *= std::exchange(columns_, dimension);
    }
    take_kernel(tensor);
    columnwise_ |= rows_ == 1 && (tensor.cols == 1 || entry_.shape.size() < 2);
  }

  // Do canonical rows run across the stored ones?
  bool columnwise() const { return columnwise_; }

  std::uint64_t rows() const { return rows_; }
  std::uint64_t columns() const { return columns_; }
  // Columns that so many bytes hold.
  std::uint64_t columns_in(std::uint64_t bytes) const {
    if (packed_) return bytes;  // of a byte each, or fewer
    return bytes / entry_.type->run_bytes() * entry_.type->run();
  }

  std::optional<Problem> decodable() const {
    if (packed_ || (entry_.type->decode != nullptr && entry_.type->run() != 0)) {
      return std::nullopt;
    }
    return make_problem("unsupported-encoding", source_.name(),
                        "the values of " + entry_.name + " are stored as " + entry_.type_name +
                            ", which is not decoded",
                        entry_.extent.begin);
  }

  // The elements [first, first + out.size()) in row-major order. Reads in
  // windows; elements that share bytes are read from the boundary before.
  std::optional<Problem> read(std::uint64_t first, std::span<float> out) {
    if (packed_) return packed_->read(first, out, what_);
    const std::uint64_t group = entry_.type->run();
    const std::uint64_t window = std::max(group, columns_in(window_bytes));
    while (!out.empty()) {
      const std::uint64_t lead = first % group;
      const std::uint64_t count = std::min<std::uint64_t>(out.size(), window - lead);
      if (auto problem = read_window(first - lead, lead, out.first(count))) return problem;
      first += count;
      out = out.subspan(count);
    }
    return std::nullopt;
  }

 private:
  // Of a kernel each output channel is a row, all its taps and inputs behind each other.
  void take_kernel(const CanonicalTensor& tensor) {
    if (entry_.shape.size() < 3 || entry_.shape.front() == 0 || tensor.cols == columns_) return;
    const std::uint64_t each = rows_ * columns_ / entry_.shape.front();
    if (tensor.cols != each) return;
    rows_ = entry_.shape.front();
    columns_ = each;
  }

  std::optional<Problem> read_window(std::uint64_t start, std::uint64_t lead,
                                     std::span<float> out) {
    const ElementType& type = *entry_.type;
    const std::uint64_t offset = start / type.run() * type.run_bytes();
    const std::uint64_t runs = (lead + out.size() + type.run() - 1) / type.run();
    const std::uint64_t size = runs * type.run_bytes();
    check(offset + size <= entry_.extent.size(), "elements beyond a tensor's bytes");
    bytes_.resize(size);
    if (auto problem = source_.read_at(entry_.extent.begin + offset, bytes_)) return problem;
    if (runs * type.run() == out.size()) {
      decode(out);
      return std::nullopt;
    }
    values_.resize(runs * type.run());
    decode(values_);
    std::ranges::copy(std::span(values_).subspan(lead, out.size()), out.begin());
    return std::nullopt;
  }

  void decode(std::span<float> out) const {
    if (what_ == What::steps) {
      block_steps(*entry_.type, bytes_, out);
    } else {
      entry_.type->decode(bytes_, out);
    }
  }

  const Source& source_;
  const TensorEntry& entry_;
  bool columnwise_ = false;
  What what_ = What::values;
  std::unique_ptr<PackedReader> packed_;
  std::uint64_t rows_ = 1;
  std::uint64_t columns_ = 1;
  std::vector<std::byte> bytes_;
  std::vector<float> values_;
};

struct Wanted {
  std::uint64_t index = 0;  // stored row or column
  std::size_t slot = 0;     // place in the result
};

// Where a canonical row stands on the stored out axis.
std::uint64_t stored_row(const CanonicalTensor& tensor, std::uint64_t row) {
  check(row < tensor.rows, "a row beyond the tensor");
  if (tensor.paired_heads != 0) {
    const std::uint64_t size = tensor.rows / tensor.paired_heads;
    const std::uint64_t head = row / size * size;
    const std::uint64_t side = row % size / (size / 2);
    row = head + row % (size / 2) * 2 + side;
  }
  if (tensor.run != 0) row = row / tensor.run * tensor.period + row % tensor.run;
  return tensor.first_row + row;
}

std::vector<Wanted> wanted_rows(const CanonicalTensor& tensor,
                                std::span<const std::uint64_t> rows) {
  std::vector<Wanted> result;
  result.reserve(rows.size());
  for (std::size_t slot = 0; slot < rows.size(); ++slot) {
    result.push_back({.index = stored_row(tensor, rows[slot]), .slot = slot});
  }
  std::ranges::sort(result, {}, [](const Wanted& one) { return std::pair(one.index, one.slot); });
  return result;
}

std::vector<Wanted> wanted_columns(const CanonicalTensor& tensor,
                                   std::span<const std::uint64_t> columns) {
  std::vector<Wanted> result;
  result.reserve(columns.size());
  for (std::size_t slot = 0; slot < columns.size(); ++slot) {
    check(columns[slot] < tensor.cols, "a column beyond the tensor");
    result.push_back({.index = tensor.first_col + columns[slot], .slot = slot});
  }
  std::ranges::sort(result, {}, [](const Wanted& one) { return std::pair(one.index, one.slot); });
  return result;
}

std::vector<std::uint64_t> counted(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> result(count);
  std::ranges::generate(result, [i = first]() mutable { return i++; });
  return result;
}

// Wanted columns that one read fetches: [begin, end) of the stored row.
struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::size_t first = 0;  // into the sorted columns
  std::size_t last = 0;
};

std::vector<Span> spans_of(std::span<const Wanted> columns, std::uint64_t gap) {
  std::vector<Span> spans;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::uint64_t column = columns[i].index;
    if (spans.empty() || column > spans.back().end + gap) {
      spans.push_back({.begin = column, .end = column + 1, .first = i, .last = i + 1});
    } else {
      spans.back().end = std::max(spans.back().end, column + 1);
      spans.back().last = i + 1;
    }
  }
  return spans;
}

// The submatrix of stored rows × stored columns. `place` says where the value of
// (row slot, column slot) goes in `out`.
template <class Place>
std::optional<Problem> gather(StoredMatrix& matrix, std::span<const Wanted> rows,
                              std::span<const Wanted> columns, std::span<float> out, Place place) {
  const std::vector<Span> spans = spans_of(columns, matrix.columns_in(gap_bytes));
  std::vector<float> buffer;
  for (const Wanted& row : rows) {
    for (const Span& span : spans) {
      buffer.resize(span.end - span.begin);
      const std::uint64_t first = row.index * matrix.columns() + span.begin;
      if (auto problem = matrix.read(first, buffer)) return problem;
      for (std::size_t i = span.first; i < span.last; ++i) {
        out[place(row.slot, columns[i].slot)] = buffer[columns[i].index - span.begin];
      }
    }
  }
  return std::nullopt;
}

// Whole stored rows, as many as follow one another by one read.
std::optional<Problem> read_runs(StoredMatrix& matrix, std::span<const std::uint64_t> rows,
                                 std::span<float> out) {
  const std::uint64_t columns = matrix.columns();
  for (std::size_t begin = 0; begin < rows.size();) {
    std::size_t end = begin + 1;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
    const std::span<float> part = out.subspan(begin * columns, (end - begin) * columns);
    if (auto problem = matrix.read(rows[begin] * columns, part)) return problem;
    begin = end;
  }
  return std::nullopt;
}

// Rows that stand in pairs are read in the order of the file and put in their places.
std::optional<Problem> read_paired(StoredMatrix& matrix, const CanonicalTensor& tensor,
                                   std::span<const std::uint64_t> rows, std::span<float> out) {
  const std::vector<Wanted> order = wanted_rows(tensor, rows);
  std::vector<std::uint64_t> stored;
  stored.reserve(order.size());
  for (const Wanted& one : order) stored.push_back(one.index);
  std::vector<float> values(out.size());
  if (auto problem = read_runs(matrix, stored, values)) return problem;
  const std::uint64_t columns = matrix.columns();
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::ranges::copy(std::span(values).subspan(i * columns, columns),
                      out.subspan(order[i].slot * columns).begin());
  }
  return std::nullopt;
}

void take_off(float added, std::span<float> values) {
  if (added == 0) return;
  for (float& value : values) value -= added;
}

// The canonical tensor lies inside the stored one: else we made it wrongly.
void check_fits(const CanonicalTensor& tensor, const StoredMatrix& matrix) {
  const bool columnwise = matrix.columnwise();
  const std::uint64_t out_axis = columnwise ? matrix.columns() : matrix.rows();
  const std::uint64_t in_axis = columnwise ? matrix.rows() : matrix.columns();
  // Only across stored rows can a part of them be left out: else rows are read whole.
  const bool within =
      columnwise && tensor.first_col <= in_axis && tensor.cols <= in_axis - tensor.first_col;
  check(within || (tensor.first_col == 0 && tensor.cols == in_axis) || out_axis == 0,
        "a canonical tensor of another width");
  const std::uint64_t last = tensor.rows == 0 ? 0 : stored_row(tensor, tensor.rows - 1);
  check(tensor.rows <= out_axis && (tensor.rows == 0 || last < out_axis),
        "a canonical tensor beyond its stored one");
}

Result<std::vector<float>> read_submatrix(StoredMatrix& matrix, const CanonicalTensor& tensor,
                                          std::span<const std::uint64_t> rows,
                                          std::span<const std::uint64_t> cols) {
  if (auto problem = matrix.decodable()) return std::unexpected(*std::move(problem));
  check_fits(tensor, matrix);
  const std::vector<Wanted> out_axis = wanted_rows(tensor, rows);
  const std::vector<Wanted> in_axis = wanted_columns(tensor, cols);
  std::vector<float> values(rows.size() * cols.size());
  std::optional<Problem> problem;
  if (matrix.columnwise()) {
    const auto place = [&](std::size_t in, std::size_t out) { return out * cols.size() + in; };
    problem = gather(matrix, in_axis, out_axis, values, place);
  } else {
    const auto place = [&](std::size_t out, std::size_t in) { return out * cols.size() + in; };
    problem = gather(matrix, out_axis, in_axis, values, place);
  }
  if (problem) return std::unexpected(*std::move(problem));
  return values;
}

bool is_by_head(const CanonicalTensor& tensor) { return tensor.run != 0 && tensor.period == 0; }

// The matrix [in, out] of one head.
CanonicalTensor head_of(const CanonicalTensor& tensor, std::uint64_t head) {
  CanonicalTensor one = tensor;
  one.rows = std::exchange(one.run, 0);
  one.first_col = head * tensor.cols;
  return one;
}

Result<std::vector<float>> read_matrix(const Model& model, const CanonicalTensor& tensor,
                                       std::span<const std::uint64_t> rows,
                                       std::span<const std::uint64_t> cols,
                                       StoredMatrix::What what = StoredMatrix::What::values) {
  if (!is_by_head(tensor)) {
    StoredMatrix matrix(model, tensor, what);
    return read_submatrix(matrix, tensor, rows, cols);
  }
  std::map<std::uint64_t, std::vector<std::size_t>> slots;  // by head
  for (std::size_t slot = 0; slot < rows.size(); ++slot)
    slots[rows[slot] / tensor.run].push_back(slot);
  std::vector<float> values(rows.size() * cols.size());
  for (const auto& [head, places] : slots) {
    std::vector<std::uint64_t> own;
    own.reserve(places.size());
    for (const std::size_t slot : places) own.push_back(rows[slot] % tensor.run);
    const CanonicalTensor one = head_of(tensor, head);
    StoredMatrix matrix(model, one, what);
    const auto part = read_submatrix(matrix, one, own, cols);
    if (!part) return part;
    for (std::size_t i = 0; i < places.size(); ++i) {
      std::ranges::copy(std::span(*part).subspan(i * cols.size(), cols.size()),
                        std::span(values).subspan(places[i] * cols.size()).begin());
    }
  }
  return values;
}

}  // namespace

Result<std::vector<float>> read_rows(const Model& model, const CanonicalTensor& tensor,
                                     std::span<const std::uint64_t> rows) {
  StoredMatrix matrix(model, tensor);
  if (matrix.columnwise()) return read_block(model, tensor, rows, counted(0, tensor.cols));
  if (auto problem = matrix.decodable()) return std::unexpected(*std::move(problem));
  check_fits(tensor, matrix);
  std::vector<float> values(rows.size() * tensor.cols);
  std::optional<Problem> problem;
  if (tensor.paired_heads > 0) {
    problem = read_paired(matrix, tensor, rows, values);
  } else {
    std::vector<std::uint64_t> places(rows.begin(), rows.end());
    for (std::uint64_t& row : places) row = stored_row(tensor, row);
    problem = read_runs(matrix, places, values);
  }
  if (problem) return std::unexpected(*std::move(problem));
  take_off(tensor.added, values);
  return values;
}

Result<std::vector<float>> read_block(const Model& model, const CanonicalTensor& tensor,
                                      std::span<const std::uint64_t> rows,
                                      std::span<const std::uint64_t> cols) {
  auto values = read_matrix(model, tensor, rows, cols);
  if (values) take_off(tensor.added, *values);
  return values;
}

bool has_steps(const Model& model, const CanonicalTensor& tensor) {
  const bool is_quantised = tensor.packed && !model.packed[*tensor.packed].packing->normalises;
  return is_quantised || has_block_steps(model.type_of(tensor));
}

Result<std::vector<float>> read_block_steps(const Model& model, const CanonicalTensor& tensor,
                                            std::span<const std::uint64_t> rows,
                                            std::span<const std::uint64_t> cols) {
  check(has_steps(model, tensor), "steps of a matrix that is not quantised");
  return read_matrix(model, tensor, rows, cols, StoredMatrix::What::steps);
}

Result<std::vector<float>> read_all(const Model& model, const CanonicalTensor& tensor) {
  return read_rows(model, tensor, counted(0, tensor.rows));
}

std::optional<Problem> stream_bytes(
    const Model& model, const StoredTensor& tensor, std::size_t chunk_bytes,
    const std::function<std::optional<Problem>(std::span<const std::byte>)>& sink) {
  constexpr std::uint64_t unit = 64;
  const Source& source = *model.shards[tensor.shard];
  const std::uint64_t size = tensor.entry.extent.size();
  const std::uint64_t chunk = std::max<std::uint64_t>(unit, chunk_bytes / unit * unit);
  std::vector<std::byte> buffer(std::min(chunk, size));
  for (std::uint64_t done = 0; done < size;) {
    const std::span<std::byte> part = std::span(buffer).first(std::min(chunk, size - done));
    if (auto problem = source.read_at(tensor.entry.extent.begin + done, part)) return problem;
    if (auto problem = sink(part)) return problem;
    done += part.size();
  }
  return std::nullopt;
}

std::optional<Problem> stream_rows(
    const Model& model, const CanonicalTensor& tensor, std::size_t chunk_bytes,
    const std::function<std::optional<Problem>(std::uint64_t first_row,
                                               std::span<const float> values)>& sink) {
  if (tensor.cols == 0) return std::nullopt;
  const std::uint64_t rows = std::max<std::uint64_t>(1, chunk_bytes / sizeof(float) / tensor.cols);
  for (std::uint64_t first = 0; first < tensor.rows; first += rows) {
    const std::uint64_t count = std::min(rows, tensor.rows - first);
    const Result<std::vector<float>> values = read_rows(model, tensor, counted(first, count));
    if (!values) return values.error();
    if (auto problem = sink(first, *values)) return problem;
  }
  return std::nullopt;
}

}  // namespace pedigree
