// The orders that known families keep the tensors of a layer in.
#pragma once

#include <cstddef>
#include <vector>

#include "model/families.h"
#include "model/structure_blocks.h"

namespace pedigree {

struct OrderedTensor {
  const FamilyTensor* tensor = nullptr;  // null where the order has no role
  int expert = -1;
};

// The tensors of one block.
using Order = std::vector<OrderedTensor>;

struct KnownOrder {
  Order order = {};
  bool alphabetical = false;
};

// As the model holds them or by name, for blocks of so many tensors; none for families with
// layers of several stacks. How many experts there are follows from the size.
std::vector<KnownOrder> known_orders(const Family& family, std::size_t block_size);

// Do as many tensors stand before and behind the blocks as the family has there?
bool edges_agree(const Family& family, const Layout& layout);

}  // namespace pedigree
