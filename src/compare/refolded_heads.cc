#include "compare/refolded_heads.h"

#include <algorithm>
#include <cmath>
#include <ranges>

#include "compare/assignment.h"
#include "compare/dense.h"
#include "fingerprint/residual_rows.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr double plain_change = 0.05;  // rounding to eight bits leaves 0.003
constexpr double unlike_training = 0.5;
constexpr std::size_t dimensions_used = 64;
constexpr std::size_t most_layers = 8;

using Numbers = std::vector<std::uint64_t>;

// q, k, v (rows × dimensions) and o turned (rows × dimensions) of one layer.
struct Attention {
  Matrix q = {};
  Matrix k = {};
  Matrix v = {};
  Matrix o = {};
};

Result<Matrix> read_part(const Model& model, std::string_view role, int layer,
                         const Numbers& dimensions) {
  const CanonicalTensor* tensor = model.find(role, layer);
  if (tensor == nullptr) return Matrix{};
  if (dimensions.empty() || dimensions.back() >= residual_width_of(*tensor)) return Matrix{};
  Numbers every(units_of(*tensor));
  std::ranges::copy(std::views::iota(std::uint64_t{0}, every.size()), every.begin());
  return residual_rows(model, *tensor, every, dimensions);
}

std::optional<Problem> multiply_by_gain(Attention& attention, const Model& model, int layer,
                                        const Numbers& dimensions) {
  const CanonicalTensor* norm = model.find("attn.norm", layer);
  if (norm == nullptr) return std::nullopt;
  const auto gain = read_all(model, *norm);
  if (!gain) return gain.error();
  if (gain->size() <= dimensions.back()) return std::nullopt;
  const double one = model.architecture.norm_plus_one ? 1 : 0;
  for (Matrix* reader : {&attention.q, &attention.k, &attention.v}) {
    for (std::size_t i = 0; i < reader->rows; ++i) {
      for (std::size_t j = 0; j < dimensions.size(); ++j) {
        reader->at(i, j) *= static_cast<double>((*gain)[dimensions[j]]) + one;
      }
    }
  }
  return std::nullopt;
}

Result<Attention> read_attention(const Model& model, int layer, const Numbers& dimensions,
                                 bool with_gains) {
  Attention attention;
  for (const auto& [role, part] : {std::pair("attn.q", &Attention::q),
                                   {"attn.k", &Attention::k},
                                   {"attn.v", &Attention::v},
                                   {"attn.o", &Attention::o}}) {
    auto read = read_part(model, role, layer, dimensions);
    if (!read) return std::unexpected(std::move(read.error()));
    attention.*part = std::move(*read);
  }
  if (with_gains && !dimensions.empty()) {
    if (auto problem = multiply_by_gain(attention, model, layer, dimensions)) {
      return std::unexpected(std::move(*problem));
    }
  }
  return attention;
}

// leftᵀ · right of one query head, over channels: dimensions × dimensions.
Matrix product_of_head(const Matrix& left, std::size_t left_head, const Matrix& right,
                       std::size_t right_head, std::size_t size) {
  Matrix result(left.cols, right.cols);
  for (std::size_t c = 0; c < size; ++c) {
    const auto x = left.row(left_head * size + c);
    const auto y = right.row(right_head * size + c);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto row = result.row(i);
      for (std::size_t j = 0; j < y.size(); ++j) row[j] += x[i] * y[j];
    }
  }
  return result;
}

double squares(const Matrix& matrix) { return product(matrix.values, matrix.values); }

double distance(const Matrix& a, const Matrix& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    total += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
  }
  return total;
}

// Rows of a head, in the order that another side has them.
Matrix heads_in_order(const Matrix& rows, const std::vector<std::size_t>& order, std::size_t size) {
  Matrix result(rows.rows, rows.cols);
  for (std::size_t head = 0; head < order.size(); ++head) {
    for (std::size_t c = 0; c < size; ++c) {
      std::ranges::copy(rows.row(order[head] * size + c), result.row(head * size + c).begin());
    }
  }
  return result;
}

struct HeadProducts {
  std::vector<Matrix> values = {};   // O·V by query head
  std::vector<Matrix> queries = {};  // Qᵀ·K
};

HeadProducts head_products(const Attention& attention, std::size_t heads, std::size_t group,
                           std::size_t size) {
  HeadProducts products;
  for (std::size_t head = 0; head < heads; ++head) {
    products.values.push_back(product_of_head(attention.o, head, attention.v, head / group, size));
    products.queries.push_back(product_of_head(attention.q, head, attention.k, head / group, size));
  }
  return products;
}

double cosine(const Matrix& a, const Matrix& b) {
  const double lengths = squares(a) * squares(b);
  return lengths > 0 ? product(a.values, b.values) / std::sqrt(lengths) : 0;
}

// For each head of the base the one of the subject that does the same.
std::vector<std::size_t> order_of_heads(const HeadProducts& subject, const HeadProducts& base) {
  const std::size_t heads = base.values.size();
  Matrix likeness(heads, heads);
  for (std::size_t i = 0; i < heads; ++i) {
    for (std::size_t j = 0; j < heads; ++j) {
      likeness.at(i, j) =
          cosine(base.values[i], subject.values[j]) + cosine(base.queries[i], subject.queries[j]);
    }
  }
  return best_assignment(likeness, heads);
}

// The order of the groups that the order of their query heads implies; empty when they
// were torn apart.
std::vector<std::size_t> order_of_groups(const std::vector<std::size_t>& heads, std::size_t group) {
  std::vector<std::size_t> groups;
  for (std::size_t first = 0; first < heads.size(); first += group) {
    groups.push_back(heads[first] / group);
    for (std::size_t i = 0; i < group; ++i) {
      if (heads[first + i] / group != groups.back()) return {};
    }
  }
  return groups;
}

double relative(double left, double size) { return size > 0 ? left / size : 0; }

void add_layer(RefoldedHeads& all, const Attention& mine, const Attention& theirs,
               std::size_t size) {
  const std::size_t heads = theirs.q.rows / size;
  const std::size_t group = heads / (theirs.k.rows / size);
  const HeadProducts a = head_products(mine, heads, group, size);
  const HeadProducts b = head_products(theirs, heads, group, size);
  auto order = order_of_heads(a, b);
  auto groups = order_of_groups(order, group);
  if (groups.empty()) {
    order = first_indices(heads);
    groups = first_indices(heads / group);
  }
  all.moved = all.moved || order != first_indices(heads);
  double left[2] = {};
  double whole[2] = {};
  for (std::size_t head = 0; head < heads; ++head) {
    left[0] += distance(a.values[order[head]], b.values[head]);
    left[1] += distance(a.queries[order[head]], b.queries[head]);
    whole[0] += squares(b.values[head]);
    whole[1] += squares(b.queries[head]);
  }
  all.values.after += relative(left[0], whole[0]);
  all.queries.after += relative(left[1], whole[1]);
  const auto change = [&](const Matrix& x, const Matrix& y) {
    return relative(distance(x, y), squares(y));
  };
  all.values.before += change(mine.v, theirs.v) + change(mine.o, theirs.o);
  all.queries.before += change(mine.q, theirs.q) + change(mine.k, theirs.k);
  all.values.size += 1;
  all.queries.size += 1;
  const double mixed = change(heads_in_order(mine.v, groups, size), theirs.v) +
                       change(heads_in_order(mine.o, order, size), theirs.o);
  const double scaled = change(heads_in_order(mine.q, order, size), theirs.q) +
                        change(heads_in_order(mine.k, groups, size), theirs.k);
  const auto beyond = [](double factors, double products) {
    return factors > plain_change * plain_change &&
           products < factors * unlike_training * unlike_training;
  };
  all.values_mixed = all.values_mixed || beyond(mixed, relative(left[0], whole[0]));
  all.queries_scaled = all.queries_scaled || beyond(scaled, relative(left[1], whole[1]));
}

bool alike(const Attention& a, const Attention& b, std::size_t size) {
  const auto same = [&](const Matrix& x, const Matrix& y) {
    return x.rows == y.rows && x.cols == y.cols && x.rows > 0 && x.rows % size == 0;
  };
  return size > 0 && same(a.q, b.q) && same(a.k, b.k) && same(a.v, b.v) && same(a.o, b.o) &&
         a.k.rows == a.v.rows && a.q.rows == a.o.rows && a.q.rows % a.k.rows == 0;
}

}  // namespace

bool is_refolded(const Products& products) {
  if (products.size <= 0) return false;
  return products.before > plain_change * plain_change * products.size &&
         products.after < unlike_training * unlike_training * products.before;
}

bool Products::is_explained() const { return is_refolded(*this); }

double Products::left() const { return size > 0 ? std::sqrt(after / (2 * size)) : 0; }

Result<RefoldedHeads> refolded_heads(const Model& subject, const Model& base,
                                     const LayerMap& layers, bool with_gains) {
  RefoldedHeads all;
  const std::size_t size = base.architecture.head_dim;
  if (size == 0 || size != subject.architecture.head_dim) return all;
  const std::uint64_t width = std::min(subject.architecture.hidden, base.architecture.hidden);
  const auto places = spread_places(width, dimensions_used);
  const Numbers dimensions(places.begin(), places.end());
  for (const std::size_t place : spread_places(layers.size(), most_layers)) {
    const auto mine = read_attention(subject, layers[place].first, dimensions, with_gains);
    if (!mine) return std::unexpected(mine.error());
    const auto theirs = read_attention(base, layers[place].second, dimensions, with_gains);
    if (!theirs) return std::unexpected(theirs.error());
    if (alike(*mine, *theirs, size)) add_layer(all, *mine, *theirs, size);
  }
  return all;
}

}  // namespace pedigree
