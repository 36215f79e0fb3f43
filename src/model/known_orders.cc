#include "model/known_orders.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace pedigree {
namespace {

constexpr std::size_t most_experts = 4096;

std::string name_of(const OrderedTensor& one) {
  constexpr std::string_view slot = "{E}";
  std::string name = one.tensor->name;
  const std::size_t at = name.find(slot);
  if (at != std::string::npos) name.replace(at, slot.size(), std::to_string(one.expert));
  return name;
}

// A family's layer, each expert's tensors in a row where the first expert's stand.
class LayerOrder {
 public:
  LayerOrder(const Family& family, bool with_optional, bool with_vectors) {
    for (const FamilyTensor& tensor : family.tensors) {
      if (!tensor.in_layer || (tensor.optional && !with_optional)) continue;
      // Norms may stand elsewhere when writers sort by element type.
      if (tensor.shape.size() == 1 && !with_vectors) continue;
      (tensor.per_expert ? experts_ : plain_).push_back(&tensor);
      if (experts_.empty()) ++before_experts_;
    }
  }

  // Empty where no number of experts makes so many tensors.
  Order of_size(std::size_t size) const {
    const std::size_t rest = size - std::min(size, plain_.size());
    const std::size_t count = experts_.empty() ? 0 : rest / experts_.size();
    if (plain_.size() + count * experts_.size() != size || count > most_experts) return {};
    if (!experts_.empty() && count < 2) return {};
    Order order;
    order.reserve(size);
    for (std::size_t i = 0; i <= plain_.size(); ++i) {
      if (i == before_experts_) add_experts(order, count);
      if (i < plain_.size()) order.push_back({.tensor = plain_[i]});
    }
    return order;
  }

 private:
  void add_experts(Order& order, std::size_t count) const {
    for (std::size_t expert = 0; expert < count; ++expert) {
      for (const FamilyTensor* tensor : experts_) {
        order.push_back({.tensor = tensor, .expert = static_cast<int>(expert)});
      }
    }
  }

  std::vector<const FamilyTensor*> plain_;
  std::vector<const FamilyTensor*> experts_;
  std::size_t before_experts_ = 0;
};

bool has_several_stacks(const Family& family) {
  return std::ranges::any_of(family.tensors,
                             [](const FamilyTensor& tensor) { return tensor.stack != 0; });
}

}  // namespace

std::vector<KnownOrder> known_orders(const Family& family, std::size_t block_size) {
  std::vector<KnownOrder> orders;
  if (has_several_stacks(family)) return orders;
  for (const bool alphabetical : {false, true}) {
    for (const bool with_optional : {false, true}) {
      for (const bool with_vectors : {true, false}) {
        Order order = LayerOrder(family, with_optional, with_vectors).of_size(block_size);
        if (order.empty()) continue;
        if (alphabetical) std::ranges::sort(order, {}, name_of);
        orders.push_back({.order = std::move(order), .alphabetical = alphabetical});
      }
    }
  }
  return orders;
}

bool edges_agree(const Family& family, const Layout& layout) {
  std::size_t before = 0;
  std::size_t after = 0;
  std::size_t optional = 0;
  bool is_behind = false;
  for (const FamilyTensor& tensor : family.tensors) {
    is_behind = is_behind || tensor.in_layer;
    if (tensor.in_layer) continue;
    if (tensor.optional) {
      ++optional;
    } else {
      ++(is_behind ? after : before);
    }
  }
  return layout.before.size() == before && layout.after.size() >= after &&
         layout.after.size() <= after + optional;
}

}  // namespace pedigree
