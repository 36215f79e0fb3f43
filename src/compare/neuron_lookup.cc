#include "compare/neuron_lookup.h"

#include <algorithm>
#include <cmath>

#include "compare/dense.h"
#include "model/weights.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::size_t most_dimensions = 128;
constexpr std::uint64_t all_below = 512;
constexpr std::size_t looked_up_of_many = 128;
constexpr std::size_t chunk_bytes = std::size_t{8} << 20U;

// A partner must be this far ahead of the next best to count: likeness is a gate cosine plus the
// size of an up and a down cosine.
constexpr double clear_lead = 0.2;

std::vector<std::uint64_t> every(std::uint64_t count) {
  std::vector<std::uint64_t> indices(count);
  for (std::uint64_t i = 0; i < count; ++i) indices[i] = i;
  return indices;
}

// Rows of `neurons` on some columns, a window at a time.
Result<Matrix> projection_rows(const Model& model, const CanonicalTensor& tensor,
                               const std::vector<std::uint64_t>& neurons,
                               const std::vector<std::uint64_t>& dimensions) {
  auto values = read_block(model, tensor, neurons, dimensions);
  if (!values) return std::unexpected(std::move(values.error()));
  Matrix rows(neurons.size(), dimensions.size());
  std::ranges::transform(*values, rows.values.begin(),
                         [](float value) { return static_cast<double>(value); });
  return rows;
}

bool is_finite(const Matrix& matrix) {
  return std::ranges::all_of(matrix.values, [](double value) { return std::isfinite(value); });
}

// Columns first, first + 2, … of `matrix`.
Matrix every_other(const Matrix& matrix, std::size_t first) {
  Matrix half(matrix.rows, (matrix.cols + 1 - first) / 2);
  for (std::size_t i = 0; i < half.rows; ++i) {
    for (std::size_t j = 0; j < half.cols; ++j) half.at(i, j) = matrix.at(i, first + 2 * j);
  }
  return half;
}

NeuronRows half_of(const NeuronRows& rows, std::size_t first) {
  return {.neurons = rows.neurons,
          .gate = every_other(rows.gate, first),
          .up = every_other(rows.up, first),
          .down = every_other(rows.down, first)};
}

struct Halves {
  NeuronRows few = {};
  NeuronRows many = {};
};

// The same views of both sides, made ready, gate first where both have one.
struct ReadyRows {
  std::vector<PreparedRows> few = {};
  std::vector<PreparedRows> many = {};
  std::vector<bool> up_to_sign = {};

  explicit ReadyRows(const Halves& half) {
    add(half.few.gate, half.many.gate, false);
    add(half.few.up, half.many.up, true);
    add(half.few.down, half.many.down, true);
  }

  std::vector<PreparedView> views() const {
    std::vector<PreparedView> list;
    list.reserve(few.size());
    for (std::size_t i = 0; i < few.size(); ++i) {
      list.push_back({.subject = &few[i], .base = &many[i], .up_to_sign = up_to_sign[i]});
    }
    return list;
  }

  // Whether up and down of this pair are better negated.
  bool negated(std::size_t i, std::size_t j) const {
    double total = 0;
    for (std::size_t view = 0; view < few.size(); ++view) {
      if (up_to_sign[view]) total += dot(few[view].row(i), many[view].row(j));
    }
    return total < 0;
  }

 private:
  void add(const Matrix& mine, const Matrix& theirs, bool sign_is_free) {
    if (mine.rows == 0 || theirs.rows == 0) return;
    few.push_back(prepared(mine));
    many.push_back(prepared(theirs));
    up_to_sign.push_back(sign_is_free);
  }
};

struct Partner {
  std::size_t place = 0;  // in `many`
  double likeness = 0;
  double lead = 0;  // over the next best
};

std::vector<Partner> partners_in(const Matrix& likeness) {
  std::vector<Partner> partners(likeness.rows);
  for (std::size_t i = 0; i < likeness.rows; ++i) {
    const auto row = likeness.row(i);
    const auto best = static_cast<std::size_t>(std::ranges::max_element(row) - row.begin());
    double second = -3;
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (j != best) second = std::max(second, row[j]);
    }
    partners[i] = {.place = best, .likeness = row[best], .lead = row[best] - second};
  }
  return partners;
}

struct Feature {
  std::size_t few = 0;
  std::size_t many = 0;
  double sign = 1;
};

// Dimensions × neurons found, one side.
Matrix dimension_rows(const Matrix& rows, const std::vector<Feature>& features, bool of_few,
                      bool with_sign) {
  Matrix turned(rows.cols, features.size());
  for (std::size_t k = 0; k < features.size(); ++k) {
    const auto row = rows.row(of_few ? features[k].few : features[k].many);
    const double sign = of_few && with_sign ? features[k].sign : 1;
    for (std::size_t j = 0; j < row.size(); ++j) turned.at(j, k) = sign * row[j];
  }
  return turned;
}

Cell held_out_dimensions(const Halves& half, const std::vector<Feature>& features) {
  const std::size_t dimensions = half.few.up.cols;
  if (dimensions < fewest_units) return {};
  Cell cell{.units = dimensions, .witnesses = 1};
  if (features.size() < 2) return cell;
  Witness witness{.units = dimensions};
  const auto add = [&](const Matrix& few, const Matrix& many, bool with_sign) {
    if (few.rows == 0 || many.rows == 0) return;
    witness.views.push_back({.subject = dimension_rows(few, features, true, with_sign),
                             .base = dimension_rows(many, features, false, with_sign)});
  };
  add(half.few.gate, half.many.gate, false);
  add(half.few.up, half.many.up, true);
  add(half.few.down, half.many.down, true);
  std::vector<PreparedRows> owned;
  return cell_of(prepared_views(witness, owned), dimensions, false);
}

}  // namespace

Result<NeuronRows> neuron_rows(const Model& model, const FfnPlace& place,
                               const std::vector<std::uint64_t>& neurons,
                               const std::vector<std::uint64_t>& dimensions) {
  const CanonicalTensor* gate = find_part(model, place, FfnPart::gate);
  const CanonicalTensor* up = find_part(model, place, FfnPart::up);
  const CanonicalTensor* down = find_part(model, place, FfnPart::down);
  if (up == nullptr || dimensions.empty() || dimensions.back() >= up->cols) return NeuronRows{};
  NeuronRows rows{.neurons = neurons.empty() ? every(up->rows) : neurons};
  const auto fits = [&](const CanonicalTensor* tensor, std::uint64_t count, std::uint64_t width) {
    return tensor != nullptr && count == up->rows && width == up->cols;
  };
  auto seen = projection_rows(model, *up, rows.neurons, dimensions);
  if (!seen) return std::unexpected(std::move(seen.error()));
  rows.up = std::move(*seen);
  if (gate != nullptr && fits(gate, gate->rows, gate->cols)) {
    seen = projection_rows(model, *gate, rows.neurons, dimensions);
    if (!seen) return std::unexpected(std::move(seen.error()));
    rows.gate = std::move(*seen);
  }
  if (down != nullptr && fits(down, down->cols, down->rows)) {
    seen = projection_rows(model, *down, dimensions, rows.neurons);
    if (!seen) return std::unexpected(std::move(seen.error()));
    rows.down = transposed(*seen);
  }
  if (!is_finite(rows.gate) || !is_finite(rows.up) || !is_finite(rows.down)) return NeuronRows{};
  return rows;
}

Result<std::vector<std::uint64_t>> neurons_to_look_up(const Model& model, const FfnPlace& place) {
  const CanonicalTensor* rows = find_part(model, place, FfnPart::gate);
  if (rows == nullptr) rows = find_part(model, place, FfnPart::up);
  if (rows == nullptr) return std::vector<std::uint64_t>{};
  std::vector<std::uint64_t> neurons = every(rows->rows);
  if (rows->rows <= all_below) return neurons;
  std::vector<double> size(rows->rows);
  auto problem = stream_rows(
      model, *rows, chunk_bytes,
      [&](std::uint64_t first, std::span<const float> values) -> std::optional<Problem> {
        for (std::size_t i = 0; i * rows->cols < values.size(); ++i) {
          const double squares = sum_of_squares(values.subspan(i * rows->cols, rows->cols));
          size[first + i] = std::isfinite(squares) ? squares : 0;
        }
        return std::nullopt;
      });
  if (problem) return std::unexpected(std::move(*problem));
  std::ranges::stable_sort(neurons, std::greater{}, [&](std::uint64_t i) { return size[i]; });
  neurons.resize(looked_up_of_many);
  std::ranges::sort(neurons);
  return neurons;
}

std::vector<std::uint64_t> looked_at_dimensions(std::uint64_t width) {
  std::vector<std::uint64_t> dimensions;
  for (const std::size_t place : spread_places(width, most_dimensions)) dimensions.push_back(place);
  return dimensions;
}

Lookup look_up(const NeuronRows& few, const NeuronRows& many) {
  Lookup found{.looked_up = few.neurons.size()};
  if (few.up.rows == 0 || many.up.rows < 2 || few.up.cols != many.up.cols) return found;
  const Halves choosing{.few = half_of(few, 0), .many = half_of(many, 0)};
  const Halves held_out{.few = half_of(few, 1), .many = half_of(many, 1)};
  const ReadyRows ready(choosing);
  const ReadyRows held_ready(held_out);
  const auto chosen = partners_in(similarity(ready.views()));
  const auto again = partners_in(similarity(held_ready.views()));
  std::vector<Feature> features;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const std::size_t place = chosen[i].place;
    if (chosen[i].lead < clear_lead) continue;
    features.push_back({.few = i, .many = place, .sign = ready.negated(i, place) ? -1.0 : 1.0});
    if (again[i].place != place || again[i].lead < clear_lead) continue;
    found.pairs.emplace_back(few.neurons[i], many.neurons[place]);
    found.likeness += again[i].likeness;
  }
  if (!found.pairs.empty()) found.likeness /= static_cast<double>(found.pairs.size());
  found.held_out = held_out_dimensions(held_out, features);
  return found;
}

}  // namespace pedigree
