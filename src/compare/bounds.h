// Exact tail bounds for counts of matches under random relabelling, in log10.
//
// Each holds for every sample size and every distribution of the values; the
// only assumption is that one model's units were dealt at random before
// training (Zhu, Ahmed, Kuditipudi, Liang 2025, "Independence tests for
// language models").
#pragma once

#include <cstdint>

namespace pedigree {

// P(N ≥ count) for N the number of fixed points pooled over `witnesses`
// independent uniform permutations. The pooled factorial moments obey
// E[(N)_j] ≤ L^j, so P ≤ min over 1 ≤ j ≤ k of L^j / (j! · C(k, j)).
double log10_pooled_matches(std::uint64_t count, std::uint64_t witnesses);

// P(hits ≥ count) when each of `sampled` units looks up its best partner among
// all `all` units of the other model: ≤ C(m, k)(n−k)!/n!.
double log10_greedy_hits(std::uint64_t count, std::uint64_t sampled, std::uint64_t all);

// P(longest increasing subsequence of a random order of `size` ≥ length)
// ≤ C(m, k)/k!. For an order-preserving map that was found in the data.
double log10_increasing_run(std::uint64_t length, std::uint64_t size);

double log10_factorial(std::uint64_t n);

}  // namespace pedigree
