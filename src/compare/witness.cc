#include "compare/witness.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "compare/dense.h"

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
  for (double& value : squares) value = value > 0 ? std::sqrt(value / count) : 1;
  for (std::size_t i = 0; i < matrix.rows; ++i) {
    const auto row = matrix.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] /= squares[j];
  }
}

Matrix prepared(const Matrix& raw) {
  Matrix matrix = raw;
  scale_rows(matrix);
  standardise_columns(matrix);
  scale_rows(matrix);
  return matrix;
}

struct PreparedView {
  Matrix subject;
  Matrix base;
  bool is_unsigned = false;
};

std::vector<PreparedView> prepared_views(const Witness& witness) {
  std::vector<PreparedView> views;
  views.reserve(witness.views.size());
  for (const View& view : witness.views) {
    views.push_back({.subject = prepared(view.subject),
                     .base = prepared(view.base),
                     .is_unsigned = view.unsigned_group >= 0});
  }
  return views;
}

double paired_similarity(const std::vector<PreparedView>& views, std::size_t i, std::size_t j) {
  double with_sign = 0;
  double without = 0;
  for (const PreparedView& view : views) {
    (view.is_unsigned ? without : with_sign) += product(view.subject.row(i), view.base.row(j));
  }
  return with_sign + std::abs(without);
}

void add_cosines(const View& view, Matrix& into) {
  const Matrix subject = prepared(view.subject);
  const Matrix base = prepared(view.base);
  for (std::size_t i = 0; i < into.rows; ++i) {
    for (std::size_t j = 0; j < into.cols; ++j) {
      into.at(i, j) += product(subject.row(i), base.row(j));
    }
  }
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

// A view of two blocks on their shared indices; units are rows, or columns.
std::optional<View> block_view(const Block* subject, const Block* base, bool units_are_columns,
                               int unsigned_group) {
  if (subject == nullptr || base == nullptr) return std::nullopt;
  const auto rows = shared_places(subject->rows, base->rows);
  const auto cols = shared_places(subject->cols, base->cols);
  if (std::min(rows.subject.size(), cols.subject.size()) < fewest_units) return std::nullopt;
  return View{.subject = part_of(*subject, rows.subject, cols.subject, units_are_columns),
              .base = part_of(*base, rows.base, cols.base, units_are_columns),
              .unsigned_group = unsigned_group};
}

void add_view(std::vector<View>& views, std::optional<View> view) {
  if (!view) return;
  if (!views.empty() && views.front().subject.rows != view->subject.rows) return;
  views.push_back(std::move(*view));
}

void add_attention_views(std::vector<View>& views, const Fingerprint& subject, int a,
                         const Fingerprint& base, int b) {
  for (const std::string_view role : {"attn.q", "attn.k", "attn.v"}) {
    add_view(views, block_view(subject.block(role, a), base.block(role, b), true, -1));
  }
  add_view(views, block_view(subject.block("attn.o", a), base.block("attn.o", b), false, -1));
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
  Matrix part(transposed ? cols.size() : rows.size(), transposed ? rows.size() : cols.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < cols.size(); ++j) {
      const double value = static_cast<double>(block.values[rows[i] * block.cols.size() + cols[j]]);
      (transposed ? part.at(j, i) : part.at(i, j)) = value;
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
  std::vector<View> views;
  const auto blocks = [&](std::string_view role) {
    return std::pair(subject.block(role, subject_layer), base.block(role, base_layer));
  };
  const auto [gate_a, gate_b] = blocks("ffn.gate");
  const auto [up_a, up_b] = blocks("ffn.up");
  const auto [down_a, down_b] = blocks("ffn.down");
  add_view(views, block_view(gate_a, gate_b, false, -1));
  add_view(views, block_view(up_a, up_b, false, 0));
  add_view(views, block_view(down_a, down_b, true, 0));
  return finished(std::move(views));
}

std::vector<Witness> value_witnesses(const Fingerprint& subject, int subject_layer,
                                     const Fingerprint& base, int base_layer) {
  const Block* a = subject.block("attn.v", subject_layer);
  const Block* b = base.block("attn.v", base_layer);
  const std::uint64_t head = subject.architecture.head_dim;
  if (a == nullptr || b == nullptr || head == 0 || head != base.architecture.head_dim) return {};
  const auto rows = shared_places(a->rows, b->rows);
  const auto cols = shared_places(a->cols, b->cols);
  if (cols.subject.size() < fewest_units) return {};
  std::vector<Witness> witnesses;
  for (std::size_t i = 0; i < rows.subject.size();) {
    const std::uint64_t number = a->rows[rows.subject[i]] / head;
    std::size_t end = i;
    while (end < rows.subject.size() && a->rows[rows.subject[end]] / head == number) ++end;
    const auto count = end - i;
    View view{.subject = part_of(*a, std::span(rows.subject).subspan(i, count), cols.subject),
              .base = part_of(*b, std::span(rows.base).subspan(i, count), cols.base),
              .unsigned_group = 0};
    if (auto witness = finished({std::move(view)})) witnesses.push_back(std::move(*witness));
    i = end;
  }
  return witnesses;
}

std::optional<Witness> hidden_witness(const Fingerprint& subject, const Fingerprint& base,
                                      const LayerMap& layers) {
  std::vector<View> views;
  const CommonTokens tokens = common_tokens(subject, base);
  add_view(views, token_view(subject, base, "embed.tokens", tokens));
  add_view(views, token_view(subject, base, "head.out", tokens));
  // Sixteen layers say as much about one permutation as eighty.
  for (const std::size_t place : spread_places(layers.size(), 16)) {
    add_attention_views(views, subject, layers[place].first, base, layers[place].second);
  }
  return finished(std::move(views));
}

std::optional<Witness> attention_witness(const Fingerprint& subject, int subject_layer,
                                         const Fingerprint& base, int base_layer) {
  std::vector<View> views;
  add_attention_views(views, subject, subject_layer, base, base_layer);
  return finished(std::move(views));
}

std::optional<Witness> response_witness(const Fingerprint& subject, int subject_layer,
                                        const Fingerprint& base, int base_layer) {
  const CommonTokens tokens = common_tokens(subject, base);
  if (tokens.subject_places.size() < fewest_shared) return std::nullopt;
  std::vector<View> views;
  for (const std::string_view role : {"ffn.gate", "ffn.up"}) {
    const Responses* a = subject.response(role, subject_layer);
    const Responses* b = base.response(role, base_layer);
    if (a == nullptr || b == nullptr) continue;
    const auto units = shared_places(a->units, b->units);
    if (units.subject.size() < fewest_units) continue;
    View view{.subject = Matrix(units.subject.size(), tokens.subject_places.size()),
              .base = Matrix(units.subject.size(), tokens.subject_places.size()),
              .unsigned_group = role == "ffn.up" ? 0 : -1};
    for (std::size_t i = 0; i < units.subject.size(); ++i) {
      for (std::size_t j = 0; j < tokens.subject_places.size(); ++j) {
        view.subject.at(i, j) = static_cast<double>(
            a->values[units.subject[i] * subject.tokens.size() + tokens.subject_places[j]]);
        view.base.at(i, j) = static_cast<double>(
            b->values[units.base[i] * base.tokens.size() + tokens.base_places[j]]);
      }
    }
    add_view(views, std::move(view));
  }
  return finished(std::move(views));
}

bool plainly_unpaired(const Witness& witness) {
  constexpr std::size_t neighbours = 4;
  const auto views = prepared_views(witness);
  const std::size_t units = views.front().subject.rows;
  double own = 0;
  double others = 0;
  double squares = 0;
  for (std::size_t i = 0; i < units; ++i) {
    own += paired_similarity(views, i, i);
    for (std::size_t step = 1; step <= neighbours; ++step) {
      const double value = paired_similarity(views, i, (i + step) % units);
      others += value;
      squares += value * value;
    }
  }
  const double count = static_cast<double>(units);
  const double mean = others / (neighbours * count);
  const double variance = std::max(0.0, squares / (neighbours * count) - mean * mean);
  return own / count - mean < 2.5 * std::sqrt(variance / count);
}

Matrix similarity(const Witness& witness) {
  const View& first = witness.views.front();
  check(first.subject.rows == first.base.rows, "pairing by index needs the same units");
  return rectangular_similarity(witness);
}

Matrix rectangular_similarity(const Witness& witness) {
  const View& first = witness.views.front();
  Matrix total(first.subject.rows, first.base.rows);
  Matrix unsigned_total(first.subject.rows, first.base.rows);
  bool any_unsigned = false;
  for (const View& view : witness.views) {
    any_unsigned = any_unsigned || view.unsigned_group >= 0;
    add_cosines(view, view.unsigned_group >= 0 ? unsigned_total : total);
  }
  if (any_unsigned) {
    for (std::size_t i = 0; i < total.values.size(); ++i) {
      total.values[i] += std::abs(unsigned_total.values[i]);
    }
  }
  return total;
}

}  // namespace pedigree
