// Same initial weights, or descent? (statistics.md section 2)
//
// Pairing tests reject independence; two models trained apart from one seed pair
// just as well. Three numbers tell them apart, and all three must agree:
//   G    median rank correlation of norm gains, which start at one and carry no
//        trace of a seed;
//   S    how well each model's strongest directions (what training wrote) are
//        kept against its weakest (what the seed left), both ways;
//   G against the rows' own likeness c: in descent the gains follow the rows,
//        under a shared seed they do not.
// The thresholds are empirical (docs/decisions/common-origin): descent had
// G ≥ 0.43, S ≥ 0.90 and slack ≥ 0.02 in three families, shared seeds failed one
// of them by a margin.
#pragma once

#include <optional>
#include <string>

#include "compare/alignment.h"

namespace pedigree {

struct Origin {
  bool measured = false;           // gains and matrices were there
  std::optional<double> gains;     // G; absent when gains are constant or not there
  std::optional<double> spectrum;  // S
  double row_cosine = 0;           // c: median cosine of matched gate rows
  double chance = 0;               // ±1/√(d−1): what unrelated gains give
  bool descent = false;            // all three conditions hold
};

inline constexpr double least_gains = 0.40;
inline constexpr double least_spectrum = 0.83;
// G must reach c minus this.
constexpr double gains_slack(double row_cosine) { return 0.05 + 0.4 * (1 - row_cosine); }

void decide(Origin& origin);

// What was measured beside what descent gives, or that nothing could be.
std::string origin_in_words(const Origin& origin);

// In shared residual coordinates. Reads up to 256 rows of a few matrices of up
// to eight layers where weights are at hand, and uses the sub-blocks otherwise.
Result<Origin> indexed_origin(const Side& subject, const Side& base, const Alignment& alignment);

// After the residual stream was rotated or permuted and gains were folded: the
// rotation is estimated from common tokens (orthogonal Procrustes), refined on
// matched neurons, and taken back. Both sides' weights are needed. With more
// than 1024 neurons a layer the pairs of `alignment` are used as they are.
Result<Origin> unrotated_origin(const Side& subject, const Side& base, const Alignment& alignment,
                                unsigned threads);

// Median of (median of the top eighth) / (median of the bottom half) of
// uᵢᵀ W' vᵢ / σᵢ, W = U diag(σ) Vᵀ. 0 when it is not defined.
double spectrum_ratio(const Matrix& own, const Matrix& other);

}  // namespace pedigree
