// Sets that only ever join (Tarjan 1975): the smallest element stands for its set.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ranges>
#include <vector>

namespace pedigree {

class DisjointSets {
 public:
  explicit DisjointSets(std::size_t count) : parent_(count) {
    std::ranges::copy(std::views::iota(std::size_t{0}, count), parent_.begin());
  }

  std::size_t find(std::size_t element) {
    while (parent_[element] != element) {
      parent_[element] = parent_[parent_[element]];
      element = parent_[element];
    }
    return element;
  }

  // False when they were one set already.
  bool join(std::size_t a, std::size_t b) {
    const std::size_t first = find(a);
    const std::size_t second = find(b);
    parent_[std::max(first, second)] = std::min(first, second);
    return first != second;
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace pedigree
