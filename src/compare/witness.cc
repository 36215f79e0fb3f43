#include "compare/witness.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/parallel.h"
#include "compare/dense.h"
#include "compare/layer_looks.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

void standardise_columns(Matrix& matrix) {
  const double count = static_cast<double>(matrix.rows);
  std::vector<double> mean(matrix.cols);
  std::vector<double> squares(matrix.cols);
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) mean[j] += row[j];
  }
  for (double& value : mean) value /= count;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] -= mean[j];
      squares[j] += row[j] * row[j];
    }
  }
  for (double& value : squares) value = value > 0 ? 1 / std::sqrt(value / count) : 1;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] *= squares[j];
  }
}

double paired_similarity(std::span<const PreparedView> views, std::size_t i, std::size_t j) {
  double with_sign = 0;
  double without = 0;
  for (const PreparedView& view : views) {
    (view.up_to_sign ? without : with_sign) += dot(view.subject->row(i), view.base->row(j));
  }
  return with_sign + std::abs(without);
}

bool has_length(std::span<const double> row) {
  return std::ranges::any_of(row, [](double value) { return value != 0; });
}

// Units whose rows are not empty on both sides, in every view.
std::size_t informative_units(const std::vector<View>& views) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < views.front().subject.rows; ++i) {
    count += std::ranges::all_of(views,
                                 [&](const View& view) {
                                   return has_length(view.subject.row(i)) &&
                                          has_length(view.base.row(i));
                                 })
                 ? 1U
                 : 0U;
  }
  return count;
}

std::optional<Witness> finished(std::vector<View> views) {
  if (views.empty()) return std::nullopt;
  Witness witness{.views = std::move(views)};
  witness.units = informative_units(witness.views);
  if (witness.units < fewest_units) return std::nullopt;
  return witness;
}

void add_view(std::vector<View>& views, std::optional<View> view) {
  if (!view) return;
  if (!views.empty() && views.front().subject.rows != view->subject.rows) return;
  views.push_back(std::move(*view));
}

struct LayerOf {
  const Fingerprint& sketch;
  int layer = 0;
};

void add_looks(std::vector<View>& views, std::span<const LookOf> looks, const LayerOf& subject,
               const LayerOf& base) {
  for (const LookOf& look : looks) {
    auto mine = looked_at(look.look, subject.sketch, subject.layer, base.sketch, base.layer);
    auto theirs = looked_at(look.look, base.sketch, base.layer, subject.sketch, subject.layer);
    if (mine.empty() || theirs.empty()) continue;
    add_view(views, View{.subject = std::move(mine.front()),
                         .base = std::move(theirs.front()),
                         .unsigned_group = look.up_to_sign ? 0 : -1});
  }
}

// Of the first `count` units: own similarity against that with two neighbours.
bool plainly_unpaired(std::span<const PreparedView> views, std::size_t count) {
  constexpr std::size_t neighbours = 2;
  const std::size_t units = views.front().subject->rows;
  double own = 0;
  double others = 0;
  double squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    own += paired_similarity(views, i, i);
    for (std::size_t step = 1; step <= neighbours; ++step) {
      const double value = paired_similarity(views, i, (i + step) % units);
      others += value;
      squares += value * value;
    }
  }
  const auto looked_at = static_cast<double>(count);
  const double mean = others / (neighbours * looked_at);
  const double variance = std::max(0.0, squares / (neighbours * looked_at) - mean * mean);
  return own / looked_at - mean < 2.5 * std::sqrt(variance / looked_at);
}

}  // namespace

SharedPlaces shared_places(std::span<const std::uint64_t> subject,
                           std::span<const std::uint64_t> base) {
  SharedPlaces shared;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < subject.size() && j < base.size()) {
    if (subject[i] == base[j]) {
      shared.subject.push_back(i++);
      shared.base.push_back(j++);
    } else if (subject[i] < base[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  return shared;
}

SharedPlaces common_token_places(const Block& subject, const Block& base,
                                 const CommonTokens& tokens) {
  SharedPlaces places;
  for (std::size_t i = 0; i < tokens.subject_rows.size(); ++i) {
    const auto mine = std::ranges::lower_bound(subject.rows, tokens.subject_rows[i]);
    const auto theirs = std::ranges::lower_bound(base.rows, tokens.base_rows[i]);
    if (mine == subject.rows.end() || theirs == base.rows.end() ||
        *mine != tokens.subject_rows[i] || *theirs != tokens.base_rows[i]) {
      continue;
    }
    places.subject.push_back(static_cast<std::size_t>(mine - subject.rows.begin()));
    places.base.push_back(static_cast<std::size_t>(theirs - base.rows.begin()));
  }
  return places;
}

Matrix part_of(const Block& block, std::span<const std::size_t> rows,
               std::span<const std::size_t> cols, bool transposed) {
  const std::span<const float> values(block.values);
  const std::size_t stride = block.cols.size();
  // Places ascend, so as many as there are columns are all of them.
  const bool all = cols.size() == stride;
  if (!transposed) {
    Matrix part(rows.size(), cols.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto from = values.subspan(rows[i] * stride, stride);
      const auto to = part.row(i);
      if (all) {
        std::ranges::transform(from, to.begin(), [](float v) { return static_cast<double>(v); });
      } else {
        for (std::size_t j = 0; j < to.size(); ++j) to[j] = static_cast<double>(from[cols[j]]);
      }
    }
    return part;
  }
  Matrix part(cols.size(), rows.size());
  for (std::size_t j = 0; j < cols.size(); ++j) {
    const auto to = part.row(j);
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] = static_cast<double>(values[rows[i] * stride + cols[j]]);
    }
  }
  return part;
}

CommonTokens common_tokens(const Fingerprint& subject, const Fingerprint& base) {
  CommonTokens common;
  if (subject.tokens_by_row != base.tokens_by_row) return common;
  const auto& a = subject.tokens;
  const auto& b = base.tokens;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (a[i].hash == b[j].hash) {
      common.subject_places.push_back(i);
      common.base_places.push_back(j);
      common.subject_rows.push_back(a[i++].row);
      common.base_rows.push_back(b[j++].row);
    } else if (a[i].hash < b[j].hash) {
      ++i;
    } else {
      ++j;
    }
  }
  return common;
}

std::optional<Witness> neuron_witness(const Fingerprint& subject, int subject_layer,
                                      const Fingerprint& base, int base_layer) {
  for (const auto looks : {neuron_looks(), response_looks()}) {
    std::vector<View> views;
    add_looks(views, looks, {.sketch = subject, .layer = subject_layer},
              {.sketch = base, .layer = base_layer});
    if (auto witness = finished(std::move(views))) return witness;
  }
  return std::nullopt;
}

std::optional<View> token_view(const Fingerprint& subject, const Fingerprint& base,
                               std::string_view role, const CommonTokens& tokens) {
  const Block* a = subject.block(role, -1);
  const Block* b = base.block(role, -1);
  if (a == nullptr || b == nullptr) return std::nullopt;
  const SharedPlaces rows = common_token_places(*a, *b, tokens);
  const auto cols = shared_places(a->cols, b->cols);
  if (rows.subject.size() < fewest_units || cols.subject.size() < fewest_units) return std::nullopt;
  return View{.subject = part_of(*a, rows.subject, cols.subject, true),
              .base = part_of(*b, rows.base, cols.base, true)};
}

PreparedRows in_floats(const Matrix& matrix) {
  PreparedRows ready{.rows = matrix.rows, .cols = matrix.cols};
  ready.values.resize(matrix.values.size());
  std::ranges::transform(matrix.values, ready.values.begin(),
                         [](double value) { return static_cast<float>(value); });
  return ready;
}

PreparedRows prepared(Matrix matrix) {
  scale_rows(matrix);
  standardise_columns(matrix);
  scale_rows(matrix);
  return in_floats(matrix);
}

std::vector<PreparedView> prepared_views(const Witness& witness, std::vector<PreparedRows>& owned) {
  owned.reserve(2 * witness.views.size());
  std::vector<PreparedView> views;
  views.reserve(witness.views.size());
  for (const View& view : witness.views) {
    owned.push_back(prepared(view.subject));
    owned.push_back(prepared(view.base));
    views.push_back({.subject = &owned[owned.size() - 2],
                     .base = &owned.back(),
                     .up_to_sign = view.unsigned_group >= 0});
  }
  return views;
}

bool plainly_unpaired(std::span<const PreparedView> views) {
  constexpr std::size_t first_look = 16;  // settles nearly all cells for a quarter of the cost
  const std::size_t units = views.front().subject->rows;
  return (units > 2 * first_look && plainly_unpaired(views, first_look)) ||
         plainly_unpaired(views, units);
}

Matrix similarity(std::span<const PreparedView> views, unsigned threads) {
  constexpr std::size_t rows_at_once = 32;
  Matrix total(views.front().subject->rows, views.front().base->rows);
  Matrix without(total.rows, total.cols);
  const std::size_t groups = (total.rows + rows_at_once - 1) / rows_at_once;
  const auto failed = parallel_for(groups, threads, {}, [&](std::size_t group) {
    const std::size_t end = std::min(total.rows, (group + 1) * rows_at_once);
    std::vector<double> products(total.cols);
    for (const PreparedView& view : views) {
      Matrix& into = view.up_to_sign ? without : total;
      for (std::size_t i = group * rows_at_once; i < end; ++i) {
        dots(view.subject->row(i), view.base->values, products);
        const auto row = into.row(i);
        for (std::size_t j = 0; j < row.size(); ++j) row[j] += products[j];
      }
    }
    return std::optional<Problem>{};
  });
  check(!failed, "a product cannot fail");
  for (std::size_t i = 0; i < total.values.size(); ++i) {
    total.values[i] += std::abs(without.values[i]);
  }
  return total;
}

Matrix similarity(const Witness& witness) {
  const View& first = witness.views.front();
  check(first.subject.rows == first.base.rows, "pairing by index needs the same units");
  return rectangular_similarity(witness);
}

Matrix rectangular_similarity(const Witness& witness) {
  std::vector<PreparedRows> owned;
  return similarity(prepared_views(witness, owned));
}

}  // namespace pedigree
