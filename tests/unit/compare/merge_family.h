// Sketches of small models made in memory: a base, its fine-tunes, and whatever
// a test computes from their values.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "compare/joint.h"

namespace pedigree::made {

inline constexpr std::array roles = {"attn.q", "attn.k",   "attn.v",  "attn.o",
                                     "ffn.up", "ffn.gate", "ffn.down"};
inline constexpr std::uint64_t side = 48;

// One value per entry of every matrix, before it is stored.
using Weights = std::vector<double>;

struct Family {
  int layers = 4;
  std::mt19937 random{7};

  std::size_t size() const { return static_cast<std::size_t>(layers) * roles.size() * side * side; }
  std::size_t layer_size() const { return roles.size() * side * side; }

  Weights noise(double deviation) {
    std::normal_distribution<double> normal(0, deviation);
    Weights values(size());
    for (double& value : values) value = normal(random);
    return values;
  }
};

// The values rounded into `type`, which is how a parent takes part in a merge.
inline Weights rounded(const Weights& values, const std::string& type = "BF16") {
  Weights out(values.size());
  const ElementType& element = *find_element_type(type);
  std::ranges::transform(values, out.begin(), [&](double value) {
    return static_cast<double>(rounded_to(element, static_cast<float>(value)));
  });
  return out;
}

inline Weights mixed(const std::function<double(std::size_t)>& value, std::size_t size) {
  Weights out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = value(i);
  return out;
}

inline Weights sum(const std::vector<std::pair<double, const Weights*>>& terms) {
  return mixed(
      [&](std::size_t i) {
        double total = 0;
        for (const auto& [weight, values] : terms) total += weight * (*values)[i];
        return total;
      },
      terms.front().second->size());
}

// A sketch that holds `values`, stored as `type`. Layers are those of `order`,
// or as they come.
inline Fingerprint sketch(const std::string& name, const Weights& values,
                          const std::string& type = "BF16", std::vector<int> order = {}) {
  const std::size_t block_size = side * side;
  const auto layers = static_cast<int>(values.size() / block_size / roles.size());
  if (order.empty()) {
    for (int i = 0; i < layers; ++i) order.push_back(i);
  }
  Fingerprint made{.scheme = "test", .name = name};
  made.architecture.layers = order.size();
  made.architecture.hidden = made.architecture.ffn = side;
  const Weights stored = rounded(values, type);
  for (std::size_t layer = 0; layer < order.size(); ++layer) {
    for (std::size_t r = 0; r < roles.size(); ++r) {
      Block block{.role = roles[r], .layer = static_cast<int>(layer)};
      block.full_rows = block.full_cols = side;
      block.element_type = type;
      for (std::uint64_t i = 0; i < side; ++i) {
        block.rows.push_back(i);
        block.cols.push_back(i);
      }
      const std::size_t begin =
          (static_cast<std::size_t>(order[layer]) * roles.size() + r) * block_size;
      for (std::size_t i = 0; i < block_size; ++i) {
        block.values.push_back(static_cast<float>(stored[begin + i]));
      }
      made.blocks.push_back(std::move(block));
    }
  }
  std::ranges::sort(made.blocks, {}, [](const Block& b) { return std::tuple(b.layer, b.role); });
  return made;
}

// What the candidates explain together; every one counts as derived.
inline std::optional<Joint> joint_of(const Fingerprint& subject,
                                     const std::vector<const Fingerprint*>& candidates) {
  std::vector<Comparison> comparisons(candidates.size());
  std::vector<JointCandidate> list;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    comparisons[i].verdict.derived = "yes";
    list.push_back(
        {.name = candidates[i]->name, .sketch = candidates[i], .comparison = &comparisons[i]});
  }
  return joint(subject, list);
}

inline double weight_of(const Joint& joint, const std::string& name) {
  if (joint.base && joint.base->name == name) return joint.base->weight;
  const auto at = std::ranges::find(joint.parents, name, &JointParent::name);
  return at == joint.parents.end() ? 0 : at->weight;
}

inline std::string method_of(const std::optional<Joint>& joint) {
  return joint ? joint->relation + " " + joint->method : "nothing";
}

}  // namespace pedigree::made
