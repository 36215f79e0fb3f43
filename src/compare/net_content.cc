#include "compare/net_content.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "compare/net_tensors.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_distinct = 16;

struct Content {
  std::vector<std::uint64_t> shape = {};  // sorted
  std::uint64_t bag = 0;

  auto operator<=>(const Content&) const = default;
};

bool says_something(std::span<const float> values) {
  std::set<float> distinct;
  for (const float value : values) {
    if (value != value) return false;
    if (distinct.insert(value).second && distinct.size() > fewest_distinct) return true;
  }
  return false;
}

using ByContent = std::map<Content, std::vector<std::size_t>>;

Result<ByContent> contents_of(const Model& model, std::span<const std::size_t> tensors,
                              const std::set<std::vector<std::uint64_t>>& shapes) {
  ByContent found;
  for (const std::size_t tensor : tensors) {
    const TensorEntry& entry = model.tensors[tensor].entry;
    Content content{.shape = entry.shape};
    std::ranges::sort(content.shape);
    if (entry.element_count() <= fewest_distinct || !shapes.contains(content.shape)) continue;
    const auto values = net_values(model, tensor);
    if (!values) return std::unexpected(values.error());
    if (!says_something(*values)) continue;
    content.bag = bag_of(*values);
    found[content].push_back(tensor);
  }
  return found;
}

std::set<std::vector<std::uint64_t>> shapes_of(const Model& model,
                                               std::span<const std::size_t> tensors) {
  std::set<std::vector<std::uint64_t>> shapes;
  for (const std::size_t tensor : tensors) {
    auto shape = model.tensors[tensor].entry.shape;
    std::ranges::sort(shape);
    shapes.insert(std::move(shape));
  }
  return shapes;
}

}  // namespace

std::uint64_t bag_of(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  bits.reserve(values.size());
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value + 0.0F));
  std::ranges::sort(bits);
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a, by words
  for (const std::uint32_t each : bits) hash = (hash ^ each) * 0x100000001B3ULL;
  return hash;
}

Result<std::vector<std::pair<std::size_t, std::size_t>>> same_content(
    const Model& subject, std::span<const std::size_t> mine, const Model& base,
    std::span<const std::size_t> theirs) {
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  if (mine.empty() || theirs.empty()) return pairs;
  const auto my_contents = contents_of(subject, mine, shapes_of(base, theirs));
  if (!my_contents) return std::unexpected(my_contents.error());
  if (my_contents->empty()) return pairs;
  const auto their_contents = contents_of(base, theirs, shapes_of(subject, mine));
  if (!their_contents) return std::unexpected(their_contents.error());
  for (const auto& [content, tensors] : *my_contents) {
    const auto same = their_contents->find(content);
    if (same == their_contents->end()) continue;
    const std::size_t count = std::min(tensors.size(), same->second.size());
    for (std::size_t i = 0; i < count; ++i) pairs.emplace_back(tensors[i], same->second[i]);
  }
  return pairs;
}

}  // namespace pedigree
