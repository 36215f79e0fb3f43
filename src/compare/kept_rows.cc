#include "compare/kept_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "compare/dense.h"
#include "model/weights.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_distinct = 16;
constexpr double slack = 1.02;  // decay is applied in single precision, step by step
constexpr std::size_t most_rows = 4096;
constexpr std::size_t rows_at_once = 64;

// Is there one factor c with `to` = round(c · `from`) everywhere?
bool rounds_to(std::span<const double> from, std::span<const double> to, const ElementType* type,
               int bits) {
  double least = 0;
  double most = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double half = slack * stored_step(to[i], type, bits) / 2;
    if (from[i] == 0) {
      if (std::abs(to[i]) > half) return false;
      continue;
    }
    const double low = (to[i] - half) / from[i];
    const double high = (to[i] + half) / from[i];
    least = std::max(least, std::min(low, high));
    most = std::min(most, std::max(low, high));
    if (least > most) return false;
  }
  return most > 0 && std::isfinite(most);
}

// The token embedding of one model, some rows at a time.
struct TokenRows {
  const Model& model;
  const CanonicalTensor* tensor = nullptr;
  std::vector<double> values = {};

  explicit TokenRows(const Model& of) : model(of), tensor(of.find("embed.tokens")) {}
  std::optional<Problem> read(std::span<const std::uint64_t> rows) {
    auto read = read_rows(model, *tensor, rows);
    if (!read) return std::move(read.error());
    values.assign(read->begin(), read->end());
    return std::nullopt;
  }
  std::span<const double> row(std::size_t place) const {
    return std::span(values).subspan(place * tensor->cols, tensor->cols);
  }
};

void count_rows(RowPattern& pattern, const std::array<TokenRows*, 3>& sides, std::size_t rows) {
  const auto equal = [&](std::size_t a, std::size_t b, std::size_t place) {
    return is_equal_row(sides[a]->row(place), sides[b]->row(place));
  };
  for (std::size_t place = 0; place < rows; ++place) {
    pattern.add(equal(0, 2, place), equal(1, 2, place), equal(0, 1, place));
  }
}

}  // namespace

double stored_step(double value, const ElementType* type, int bits) {
  const bool known = type != nullptr && type->precision != 0;
  const int precision = known ? std::min(type->precision, bits) : bits;
  const int smallest = known ? type->smallest_exponent : -149;
  if (value == 0) return std::ldexp(1.0, smallest);
  int exponent = 0;
  static_cast<void>(std::frexp(value, &exponent));
  return std::ldexp(1.0, std::max(exponent - precision, smallest));
}

bool is_informative_row(std::span<const double> row) {
  std::set<double> distinct;
  for (const double value : row) {
    if (value != 0) distinct.insert(value);
    if (distinct.size() >= fewest_distinct) return true;
  }
  return false;
}

bool is_kept_row(std::span<const double> first, std::span<const double> second,
                 const RowTypes& types) {
  if (first.size() != second.size() || !is_informative_row(first) || !is_informative_row(second)) {
    return false;
  }
  return rounds_to(second, first, types.first, types.bits) ||
         rounds_to(first, second, types.second, types.bits);
}

bool is_equal_row(std::span<const double> first, std::span<const double> second) {
  return std::ranges::equal(first, second) && is_informative_row(first);
}

void RowPattern::add(bool first_third, bool second_third, bool first_second) {
  with_first += first_third && !second_third && !first_second ? 1U : 0U;
  with_second += second_third && !first_third && !first_second ? 1U : 0U;
  against += first_second && !first_third && !second_third ? 1U : 0U;
}

Result<RowPattern> token_row_pattern(const Model& first, const Model& second, const Model& third) {
  RowPattern pattern;
  TokenRows a(first);
  TokenRows b(second);
  TokenRows c(third);
  for (const TokenRows* side : {&a, &b, &c}) {
    if (side->tensor == nullptr || side->tensor->rows != a.tensor->rows ||
        side->tensor->cols != a.tensor->cols) {
      return pattern;
    }
  }
  const auto spread = spread_places(static_cast<std::size_t>(a.tensor->rows), most_rows);
  for (std::size_t begin = 0; begin < spread.size(); begin += rows_at_once) {
    const std::size_t count = std::min(rows_at_once, spread.size() - begin);
    const std::vector<std::uint64_t> rows(
        spread.begin() + static_cast<std::ptrdiff_t>(begin),
        spread.begin() + static_cast<std::ptrdiff_t>(begin + count));
    for (TokenRows* side : {&a, &b, &c}) {
      if (auto problem = side->read(rows)) return std::unexpected(std::move(*problem));
    }
    count_rows(pattern, {&a, &b, &c}, count);
  }
  return pattern;
}

}  // namespace pedigree
