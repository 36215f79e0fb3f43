#include "compare/recovered_basis.h"

#include <algorithm>
#include <cmath>

#include "compare/dense.h"
#include "compare/readers.h"
#include "compare/witness.h"

namespace pedigree {
namespace {

constexpr std::size_t most_tokens = 4096;
constexpr std::size_t tokens_at_once = 1024;  // of wide models
constexpr std::uint64_t wide = 512;           // residual dimensions; above, in floats

Indices part_of(const Indices& rows, std::size_t first, std::size_t count) {
  const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(std::min(count, rows.size() - first))};
}

bool is_finite(const Matrix& matrix) {
  return std::ranges::all_of(matrix.values, [](double value) { return std::isfinite(value); });
}

}  // namespace

Result<std::optional<RecoveredBasis>> RecoveredBasis::find(const Model& subject, const Model& base,
                                                           unsigned threads) {
  const std::uint64_t width = subject.architecture.hidden;
  const CommonRows common = common_rows(subject, base, most_tokens);
  const bool enough = common.subject.size() >= fewest_shared && 2 * common.subject.size() >= width;
  if (width != base.architecture.hidden || !enough) return std::nullopt;
  RecoveredBasis basis;
  basis.tokens_ = common.subject.size();
  basis.threads_ = threads;
  const bool is_wide = width > wide;
  const auto turning = is_wide ? std::make_shared<WideRotation>(width, threads) : nullptr;
  const std::size_t at_once = is_wide ? tokens_at_once : common.subject.size();
  for (std::size_t i = 0; i < common.subject.size(); i += at_once) {
    auto mine = centred_token_rows(subject, "embed.tokens", part_of(common.subject, i, at_once));
    if (!mine) return std::unexpected(std::move(mine.error()));
    auto theirs = centred_token_rows(base, "embed.tokens", part_of(common.base, i, at_once));
    if (!theirs) return std::unexpected(std::move(theirs.error()));
    if (mine->rows == 0 || theirs->rows == 0 || mine->cols != theirs->cols) return std::nullopt;
    if (!is_finite(*mine) || !is_finite(*theirs)) return std::nullopt;
    if (is_wide) {
      turning->add(*theirs, *mine);
      continue;
    }
    scale_rows(*mine);
    scale_rows(*theirs);
    basis.rotation_ = nearest_orthogonal(
        times_transposed(transposed(*theirs), transposed(*mine), threads), threads);
  }
  if (is_wide) turning->solve();
  basis.wide_ = turning;
  return basis;
}

Matrix RecoveredBasis::turned_back(const Matrix& rows) const {
  if (rows.rows == 0) return rows;
  return wide_ ? wide_->turned_back(rows) : times_transposed(rows, rotation_, threads_);
}

}  // namespace pedigree
