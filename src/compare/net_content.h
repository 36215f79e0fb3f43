// Tensors of two nets that hold the same numbers, whatever they are called and in whatever order
// the numbers stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/model.h"

namespace pedigree {

// Of the values in any order; equality is checked by whoever relies on it.
std::uint64_t bag_of(std::span<const float> values);

// Among these tensors, pairs (subject, base) of the same lengths of axes in any order and the same
// values in any order: parts of a larger net, renamed layers, channels dealt anew. Reads all of
// them; small ones and those of few numbers say nothing.
Result<std::vector<std::pair<std::size_t, std::size_t>>> same_content(
    const Model& subject, std::span<const std::size_t> mine, const Model& base,
    std::span<const std::size_t> theirs);

}  // namespace pedigree
