#include "model/model.h"

#include <algorithm>
#include <tuple>

namespace pedigree {

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
