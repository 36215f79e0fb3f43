#include "model/model.h"

#include <algorithm>
#include <tuple>

#include "model/packings/packings.h"

namespace pedigree {

const ElementType& ModelInfo::type_of(const CanonicalTensor& tensor) const {
  if (!tensor.packed) return *tensors[tensor.tensor].entry.type;
  const ElementType* type = find_element_type(packed[*tensor.packed].packing->type);
  check(type != nullptr, "a packing of an unlisted element type");
  return *type;
}

bool ModelInfo::is_decodable(const CanonicalTensor& tensor) const {
  return tensor.packed.has_value() || tensors[tensor.tensor].entry.type->decode != nullptr;
}

const CanonicalTensor* Model::find(std::string_view role, int layer, int expert) const {
  using Key = std::tuple<int, std::string_view, int>;
  const auto key = [](const CanonicalTensor& tensor) {
    return Key(tensor.layer, tensor.role, tensor.expert);
  };
  const auto at = std::ranges::lower_bound(canonical, Key(layer, role, expert), {}, key);
  return at != canonical.end() && key(*at) == Key(layer, role, expert) ? &*at : nullptr;
}

std::uint64_t Model::bytes_read() const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards) sum += shard->bytes_read();
  return sum;
}

}  // namespace pedigree
