// Rows two models hold alike, to the last bit.
//
// Training moves every value of a row it touches, and never back to its old
// bits. So a row that is equal in two models, and not in a third, is as good as
// a signature. Rows it does not touch may still shrink by one factor under
// weight decay (tokens that never occur), and a neuron's up is scaled against
// its down: such rows are kept as well, but two roundings in a row blur them,
// so patterns among three models are read from equal rows alone.
#pragma once

#include <cstddef>
#include <span>

#include "model/model.h"

namespace pedigree {

// Enough distinct values to be a signature?
bool is_informative_row(std::span<const double> row);

// Is one the other times a factor, rounded into its own type? Types keep at most
// `bits` of precision, as fingerprints do; null: as much as `bits`.
struct RowTypes {
  const ElementType* first = nullptr;
  const ElementType* second = nullptr;
  int bits = 24;
};
bool is_kept_row(std::span<const double> first, std::span<const double> second,
                 const RowTypes& types);

// Of the spacing of stored values about `value` in a type of at most `bits`.
double stored_step(double value, const ElementType* type, int bits);

// Equal, and a signature?
bool is_equal_row(std::span<const double> first, std::span<const double> second);

// Who holds equal rows among three models.
struct RowPattern {
  std::size_t with_first = 0;   // equal in the first and the third, not in the second
  std::size_t with_second = 0;  // equal in the second and the third, not in the first
  std::size_t against = 0;      // equal in the first and the second, not in the third

  void add(bool first_third, bool second_third, bool first_second);
};

// Over up to 4,096 rows of the token embeddings, row by row; the three must have
// equally many. Nothing is counted where one has none.
Result<RowPattern> token_row_pattern(const Model& first, const Model& second, const Model& third);

}  // namespace pedigree
