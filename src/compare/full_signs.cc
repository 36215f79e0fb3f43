#include "compare/full_signs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/parallel.h"
#include "compare/dense.h"
#include "model/weights.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::uint64_t values_at_once = std::uint64_t{1} << 19U;

// What a cosine of two vectors without their means is made of.
struct Moments2 {
  double x = 0;
  double y = 0;
  double xx = 0;
  double yy = 0;
  double xy = 0;

  double cosine(double count) const {
    const double across = xy - x * y / count;
    const double own = (xx - x * x / count) * (yy - y * y / count);
    // Constant vectors leave rounding errors only.
    return xx > 0 && yy > 0 && own > 1e-24 * xx * yy ? across / std::sqrt(own) : 0;
  }
};

struct Cosines {
  std::vector<double> rows = {};
  std::vector<double> cols = {};
};

class Columns {
 public:
  explicit Columns(std::size_t cols) : x_(cols), y_(cols), xx_(cols), yy_(cols), xy_(cols) {}

  // Products of floats are exact in double: no compiler can round them differently.
  void add(std::span<const float> mine, std::span<const float> theirs) {
    for (std::size_t j = 0; j < mine.size(); ++j) {
      const auto x = static_cast<double>(mine[j]);
      const auto y = static_cast<double>(theirs[j]);
      x_[j] += x;
      y_[j] += y;
      xx_[j] += x * x;
      yy_[j] += y * y;
      xy_[j] += x * y;
    }
  }
  std::vector<double> cosines(std::uint64_t rows) const {
    std::vector<double> result(x_.size());
    for (std::size_t j = 0; j < result.size(); ++j) {
      result[j] = Moments2{.x = x_[j], .y = y_[j], .xx = xx_[j], .yy = yy_[j], .xy = xy_[j]}.cosine(
          static_cast<double>(rows));
    }
    return result;
  }

 private:
  std::vector<double> x_;
  std::vector<double> y_;
  std::vector<double> xx_;
  std::vector<double> yy_;
  std::vector<double> xy_;
};

double row_cosine(std::span<const float> mine, std::span<const float> theirs) {
  const Moments2 moments{.x = sum(mine),
                         .y = sum(theirs),
                         .xx = sum_of_squares(mine),
                         .yy = sum_of_squares(theirs),
                         .xy = dot(mine, theirs)};
  return moments.cosine(static_cast<double>(mine.size()));
}

bool is_finite(const Cosines& cosines) {
  const auto finite = [](double value) { return std::isfinite(value); };
  return std::ranges::all_of(cosines.rows, finite) && std::ranges::all_of(cosines.cols, finite);
}

// Empty where the two cannot be set against each other, or hold what is no number.
Result<Cosines> cosines_of(const Side& subject, const Side& base, std::string_view role,
                           std::pair<int, int> layers) {
  const CanonicalTensor* mine = subject.weights->find(role, layers.first);
  const CanonicalTensor* theirs = base.weights->find(role, layers.second);
  if (mine == nullptr || theirs == nullptr || mine->rows != theirs->rows ||
      mine->cols != theirs->cols || mine->cols < fewest_units || mine->rows < fewest_units) {
    return Cosines{};
  }
  Cosines cosines;
  cosines.rows.reserve(mine->rows);
  Columns columns(mine->cols);
  const std::uint64_t step = std::max<std::uint64_t>(1, values_at_once / mine->cols);
  for (std::uint64_t first = 0; first < mine->rows; first += step) {
    std::vector<std::uint64_t> wanted(std::min(step, mine->rows - first));
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = first + i;
    const auto a = read_rows(*subject.weights, *mine, wanted);
    if (!a) return std::unexpected(a.error());
    const auto b = read_rows(*base.weights, *theirs, wanted);
    if (!b) return std::unexpected(b.error());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const auto x = std::span(*a).subspan(i * mine->cols, mine->cols);
      const auto y = std::span(*b).subspan(i * mine->cols, mine->cols);
      cosines.rows.push_back(row_cosine(x, y));
      columns.add(x, y);
    }
  }
  cosines.cols = columns.cosines(mine->rows);
  return is_finite(cosines) ? cosines : Cosines{};
}

void add_to(std::vector<double>& total, const std::vector<double>& more) {
  if (total.empty()) total.resize(more.size());
  for (std::size_t i = 0; i < std::min(total.size(), more.size()); ++i) total[i] += more[i];
}

// A value channel's columns of o: one for each query head that reads it.
std::vector<double> by_channel(const std::vector<double>& columns, std::size_t channels,
                               std::size_t head) {
  std::vector<double> total(channels);
  if (head == 0 || channels == 0 || channels % head != 0 || columns.size() % channels != 0) {
    return {};
  }
  const std::size_t readers = columns.size() / channels;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    const std::size_t group = column / head / readers;
    total[group * head + column % head] += columns[column];
  }
  return total;
}

struct OfLayer {
  SignSum units = {};
  std::vector<double> dimensions = {};
};

Result<OfLayer> signs_of_layer(const Side& subject, const Side& base, std::pair<int, int> layers,
                               const FreeSigns& free) {
  std::array<Cosines, 4> of;
  constexpr std::array<std::string_view, 4> roles = {"ffn.up", "ffn.down", "attn.v", "attn.o"};
  for (std::size_t i = 0; i < roles.size(); ++i) {
    auto cosines = cosines_of(subject, base, roles[i], layers);
    if (!cosines) return std::unexpected(std::move(cosines.error()));
    of[i] = std::move(*cosines);
  }
  const auto& [up, down, value, output] = of;
  OfLayer result;
  const auto add_units = [&](const std::vector<double>& likeness, std::size_t views) {
    for (const double each : likeness) result.units.add(each, views);
  };
  if (free.neurons && up.rows.size() == down.cols.size()) {
    std::vector<double> neurons;
    add_to(neurons, up.rows);
    add_to(neurons, down.cols);
    add_units(neurons, 2);
  }
  if (free.channels && !value.rows.empty()) {
    std::vector<double> channels = value.rows;
    add_to(channels,
           by_channel(output.cols, channels.size(), subject.sketch.architecture.head_dim));
    add_units(channels, 1 + output.cols.size() / channels.size());
  }
  const std::size_t width = subject.sketch.architecture.hidden;
  for (const std::vector<double>* seen : {&up.cols, &down.rows, &value.cols, &output.rows}) {
    if (seen->size() == width) add_to(result.dimensions, *seen);
  }
  return result;
}

// Whole layers, spread, so many that the budget holds.
LayerMap layers_to_read(const Side& subject, const LayerMap& map) {
  if (map.empty()) return map;
  std::uint64_t values = 0;
  for (const char* role : {"ffn.up", "ffn.down", "attn.v", "attn.o"}) {
    const CanonicalTensor* tensor = subject.weights->find(role, map.front().first);
    if (tensor != nullptr) values += tensor->rows * tensor->cols;
  }
  const std::uint64_t fit = most_signed_values / std::max<std::uint64_t>(1, values);
  LayerMap chosen;
  for (const std::size_t place : spread_places(map.size(), std::max<std::uint64_t>(3, fit))) {
    chosen.push_back(map[place]);
  }
  return chosen;
}

}  // namespace

Result<FullSigns> full_signs(const Side& subject, const Side& base, const LayerMap& map,
                             const CompareOptions& options) {
  FullSigns signs;
  if (subject.weights == nullptr || base.weights == nullptr) return signs;
  const FreeSigns free = free_signs(subject.sketch.architecture, base.sketch.architecture);
  const LayerMap chosen = layers_to_read(subject, map);
  std::vector<OfLayer> layers(chosen.size());
  auto problem = parallel_for(chosen.size(), options.threads, options.progress,
                              [&](std::size_t i) -> std::optional<Problem> {
                                auto layer = signs_of_layer(subject, base, chosen[i], free);
                                if (!layer) return std::move(layer.error());
                                layers[i] = std::move(*layer);
                                return std::nullopt;
                              });
  if (problem) return std::unexpected(std::move(*problem));
  std::vector<double> dimensions;
  for (const OfLayer& layer : layers) {
    signs.units.add(layer.units);
    signs.by_layer.push_back(layer.units);
    if (!layer.dimensions.empty()) add_to(dimensions, layer.dimensions);
    signs.layers += layer.units.units > 0 || !layer.dimensions.empty() ? 1U : 0U;
  }
  if (free.dimensions) {
    for (const double likeness : dimensions) signs.dimensions.add(likeness);
  }
  return signs;
}

}  // namespace pedigree
