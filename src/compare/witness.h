// Witnesses: sets of exchangeable units with the same features on both sides.
//
// statistics.md section 2 says what may be permuted. Rows and columns of one
// matrix are never two witnesses; gate, up and down of a layer are one, and all
// that hangs on the residual stream is one for the whole model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "compare/assignment.h"
#include "fingerprint/fingerprint.h"

namespace pedigree {

using LayerMap = std::vector<std::pair<int, int>>;  // (subject layer, base layer), ascending

// The same units (rows) seen through the same features (columns) on both sides.
struct View {
  Matrix subject;
  Matrix base;
  // Views with one group number are added and then taken without sign: an up row
  // and its down column may both be negated without changing the model.
  int unsigned_group = -1;
};

struct Witness {
  std::vector<View> views = {};
  std::size_t units = 0;  // rows that carry information on both sides
};

// Of a model with fewer parameters no verdict is honest.
inline constexpr std::uint64_t fewest_parameters = 1000;
// Fewer units than this say nothing.
inline constexpr std::size_t fewest_units = 16;
// Fewer shared sampled indices than this: a stage is `insufficient`.
inline constexpr std::size_t fewest_shared = 20;

// FFN neurons of one layer pair through gate, up (rows) and down (columns); where
// the sides share too few residual dimensions, through their responses.
std::optional<Witness> neuron_witness(const Fingerprint& subject, int subject_layer,
                                      const Fingerprint& base, int base_layer);

// One side of a view, made ready: rows to unit length, columns centred and scaled over
// the units, rows to unit length again; rounded to floats, whose products are exact in
// a double.
struct PreparedRows {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> values = {};

  std::span<const float> row(std::size_t index) const {
    return {values.data() + index * cols, cols};
  }
};
PreparedRows prepared(Matrix matrix);
PreparedRows in_floats(const Matrix& matrix);

struct PreparedView {
  const PreparedRows* subject = nullptr;  // owned by the caller
  const PreparedRows* base = nullptr;
  bool up_to_sign = false;
};

// The views of a witness made ready; the rows they point at are put in `owned`.
std::vector<PreparedView> prepared_views(const Witness& witness, std::vector<PreparedRows>& owned);

// Units × units: cosines of prepared views, summed; those up to a sign are added
// first and then taken without it. O(units² · features).
Matrix similarity(std::span<const PreparedView> views, unsigned threads = 1);

// The same from raw views. Preparing removes common offsets, massive dimensions and
// scales folded into a norm. Nothing here looks at an index, so under the null
// every pairing of the units is equally likely.
Matrix similarity(const Witness& witness);

// Is the pairing by index plainly no better than pairing with a neighbour? Looks at
// a few diagonals only, so it is forty times cheaper than similarity(); true with
// probability under 1 % for matching units with a mean cosine of 0.15, and for
// all but one in a hundred cells of unrelated layers. For screening tables of
// layer pairs: a cell it rules out counts as without a match.
bool plainly_unpaired(std::span<const PreparedView> views);

// The same for sides with different numbers of units: subject units × base units.
Matrix rectangular_similarity(const Witness& witness);

// Rows (by position) of tokens both sides sampled, ascending by token hash.
struct CommonTokens {
  std::vector<std::uint64_t> subject_rows = {};
  std::vector<std::uint64_t> base_rows = {};
  std::vector<std::size_t> subject_places = {};  // in Fingerprint::tokens
  std::vector<std::size_t> base_places = {};
};
CommonTokens common_tokens(const Fingerprint& subject, const Fingerprint& base);

// Residual dimensions through the columns of the embeddings (or the head) for tokens
// both have.
std::optional<View> token_view(const Fingerprint& subject, const Fingerprint& base,
                               std::string_view role, const CommonTokens& tokens);

// Positions in two ascending lists of the values they share.
struct SharedPlaces {
  std::vector<std::size_t> subject = {};
  std::vector<std::size_t> base = {};
};
SharedPlaces shared_places(std::span<const std::uint64_t> subject,
                           std::span<const std::uint64_t> base);

// Places, in a block of token rows of each side, of the tokens both sampled.
SharedPlaces common_token_places(const Block& subject, const Block& base,
                                 const CommonTokens& tokens);

// The rows and columns of a block at the given positions; transposed on request.
Matrix part_of(const Block& block, std::span<const std::size_t> rows,
               std::span<const std::size_t> cols, bool transposed = false);

}  // namespace pedigree
