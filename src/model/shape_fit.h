// Whether tensors of these shapes can be those of a family's layer, whatever their names and
// order: is there one value for each size that makes the family's shapes the ones found?
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "model/families.h"

namespace pedigree {

// How often each shape is there.
using ShapeBag = std::map<std::vector<std::uint64_t>, std::size_t>;

// Values of sizes; 0: not known yet.
class KnownSizes {
 public:
  std::uint64_t find(Symbol symbol) const {
    return symbol == Symbol::one ? 1 : values_.at(static_cast<std::size_t>(symbol));
  }
  void set(Symbol symbol, std::uint64_t size) {
    values_.at(static_cast<std::size_t>(symbol)) = size;
  }

 private:
  std::array<std::uint64_t, 64> values_ = {};
};

struct ShapeFit {
  std::size_t matched = 0;   // tensors of the bag that the family explains
  std::size_t optional = 0;  // of them, those a model of the family need not have
  std::size_t missing = 0;   // tensors the family asks for and the bag lacks
  std::vector<const FamilyTensor*> seen = {};
  KnownSizes sizes = {};
};

// The reading that explains most. `known` are sizes found elsewhere. Gives up on better readings
// after a bounded number of steps.
ShapeFit fit_shapes(std::span<const FamilyTensor* const> tensors, const ShapeBag& bag,
                    const KnownSizes& known);

}  // namespace pedigree
