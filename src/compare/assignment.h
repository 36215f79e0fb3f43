// The linear assignment problem: who is paired with whom when the sum of
// similarities is largest.
//
// Ours on purpose: the tests need a solver that does not favour low indices
// among equals and that gives the same pairing on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tensor/matrix.h"

namespace pedigree {

// For each row the column it is paired with; rows <= cols. Every value finite.
// Rows and columns are relabelled by permutations drawn from `seed` before the
// search and relabelled back after, since ties would otherwise be broken in
// index order, which fakes matches. O(rows² · cols).
std::vector<std::size_t> best_assignment(const Matrix& similarity, std::uint64_t seed);

std::vector<std::size_t> first_indices(std::size_t count);  // 0 … count-1

// A permutation of 0 … size-1 drawn from `seed` (SplitMix64, Fisher–Yates).
std::vector<std::size_t> seeded_permutation(std::size_t size, std::uint64_t seed);

// Rows paired with the column of their own index by best_assignment; a row whose
// own column ties with another column for it counts as a miss.
std::size_t matched_count(const Matrix& similarity, std::uint64_t seed);

}  // namespace pedigree
