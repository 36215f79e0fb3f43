#include "model/structure.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/known_orders.h"

namespace pedigree {
namespace {

struct Candidate {
  const Layout* layout = nullptr;
  Order order = {};
  bool alphabetical = false;
  std::uint64_t bytes = 0;         // of all blocks, confirmed by shape
  const Family* family = nullptr;  // whose order it is; null by shapes alone
  bool edges_agree = false;        // as many tensors stand around the blocks
  bool norms_agree = false;        // with or without biases, in the blocks and behind them
  std::size_t families = 0;        // that keep an order of the same roles
};

void add_orders(const Family& family, const Layout& layout, std::vector<Candidate>& candidates) {
  for (KnownOrder& known : known_orders(family, layout.blocks.front().size())) {
    candidates.push_back({.layout = &layout,
                          .order = std::move(known.order),
                          .alphabetical = known.alphabetical,
                          .family = &family,
                          .edges_agree = edges_agree(family, layout)});
  }
}

// `alike` are the families whose structure the shapes fit; with none known, all decoders.
std::vector<Candidate> known_candidates(const Layout& layout,
                                        std::span<const Family* const> alike) {
  std::vector<Candidate> candidates;
  for (const Family& family : families()) {
    const bool fits = alike.empty() ? family.structure.starts_with("decoder/")
                                    : std::ranges::find(alike, &family) != alike.end();
    if (fits) add_orders(family, layout, candidates);
  }
  return candidates;
}

std::vector<MatchedTensor> matched_block(const std::vector<std::size_t>& block, const Order& order,
                                         int layer) {
  std::vector<MatchedTensor> matched;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const auto& [as, expert] = order[i];
    if (as == nullptr) continue;
    matched.push_back({.tensor = block[i], .as = as, .layer = layer, .expert = expert});
  }
  return matched;
}

void measure(Candidate& candidate, std::span<const StoredTensor> stored) {
  const std::vector<MatchedTensor> matched =
      matched_block(candidate.layout->blocks.front(), candidate.order, 0);
  const Sizes sizes(stored, matched);
  for (const MatchedTensor& one : matched) {
    if (!sizes.confirms(one, stored[one.tensor])) continue;
    candidate.bytes += stored[one.tensor].entry.extent.size() * candidate.layout->blocks.size();
  }
}

// Any family's tensor of that role that is stored as it is: shapes are the same.
const FamilyTensor* plain_role(std::string_view role) {
  for (const Family& family : families()) {
    const FamilyTensor* tensor = family.find_role(role);
    if (tensor != nullptr && !tensor->transpose) return tensor;
  }
  return nullptr;
}

// The width that most matrices share, on either side; among equals the one that
// vectors have.
std::uint64_t hidden_size(std::span<const StoredTensor> stored,
                          const std::vector<std::size_t>& block) {
  std::map<std::uint64_t, std::size_t> matrices;
  std::map<std::uint64_t, std::size_t> vectors;
  for (const std::size_t i : block) {
    const Shape& shape = stored[i].entry.shape;
    if (shape.size() == 1) ++vectors[shape[0]];
    if (shape.size() != 2) continue;
    for (const std::uint64_t size : std::set<std::uint64_t>(shape.begin(), shape.end())) {
      ++matrices[size];
    }
  }
  const auto best = std::ranges::max_element(matrices, {}, [&](const auto& entry) {
    return std::pair(entry.second, vectors[entry.first]);
  });
  return best == matrices.end() ? 0 : best->first;
}

Candidate candidate_by_shape(const Layout& layout, std::span<const StoredTensor> stored) {
  std::vector<Shape> shapes;
  for (const std::size_t i : layout.blocks.front()) shapes.push_back(stored[i].entry.shape);
  Candidate candidate = {.layout = &layout};
  for (const std::string& role : roles_by_shape(shapes, hidden_size(stored, layout.blocks[0]))) {
    candidate.order.push_back({.tensor = role.empty() ? nullptr : plain_role(role)});
  }
  return candidate;
}

std::vector<std::string_view> roles_of(const Order& order) {
  std::vector<std::string_view> roles;
  roles.reserve(order.size());
  for (const auto& [tensor, expert] : order) {
    // Fused parts are told by the first, and by how many there are.
    roles.emplace_back(tensor->parts.empty() ? tensor->role : tensor->parts.front().role);
    roles.insert(roles.end(), tensor->parts.size(), "+");
  }
  return roles;
}

// How many families' orders name the same roles in a row and fit as well.
void count_families(std::vector<Candidate>& candidates) {
  using Reading = std::pair<std::uint64_t, std::vector<std::string_view>>;
  std::map<Reading, std::set<const Family*>> families;
  for (const Candidate& one : candidates) {
    if (one.family != nullptr) families[{one.bytes, roles_of(one.order)}].insert(one.family);
  }
  for (Candidate& one : candidates) {
    if (one.family != nullptr) one.families = families[{one.bytes, roles_of(one.order)}].size();
  }
}

bool has_norm_bias(const Order& order) {
  return std::ranges::any_of(order, [](const OrderedTensor& one) {
    return one.tensor != nullptr && one.tensor->role == "attn.norm.bias";
  });
}

// A last norm with a bias is two vectors outside the blocks.
bool norms_agree(const Candidate& candidate, std::span<const StoredTensor> stored) {
  const std::uint64_t hidden = hidden_size(stored, candidate.layout->blocks.front());
  std::size_t vectors = 0;
  for (const auto* side : {&candidate.layout->before, &candidate.layout->after}) {
    vectors += static_cast<std::size_t>(std::ranges::count_if(
        *side, [&](std::size_t i) { return stored[i].entry.shape == Shape{hidden}; }));
  }
  return vectors == (has_norm_bias(candidate.order) ? 2 : 1);
}

// What a candidate is chosen by: of readings that fit equally well a known order before shapes
// alone, in the layout most trusted, with norms like those outside, that most families keep.
auto worth(const Candidate& candidate, std::span<const Layout> layouts) {
  const bool sorted = candidate.layout->sorted_by_name;
  return std::tuple(candidate.bytes, candidate.family != nullptr, candidate.edges_agree && !sorted,
                    layouts.data() - candidate.layout, candidate.norms_agree, candidate.families);
}

// Every reading of the blocks, measured.
std::vector<Candidate> candidates_of(std::span<const Layout> layouts,
                                     std::span<const StoredTensor> stored,
                                     std::span<const Family* const> alike) {
  std::vector<Candidate> candidates;
  for (const Layout& layout : layouts) {
    std::vector<Candidate> orders = known_candidates(layout, alike);
    for (Candidate& one : orders) one.norms_agree = norms_agree(one, stored);
    std::ranges::move(orders, std::back_inserter(candidates));
  }
  for (const Layout& layout : layouts) candidates.push_back(candidate_by_shape(layout, stored));
  for (Candidate& candidate : candidates) measure(candidate, stored);
  count_families(candidates);
  return candidates;
}

// Where readings of known families fit as well as the chosen one and call a tensor otherwise:
// "attn.norm|attn.post_norm".
std::set<std::string> rival_roles(const Candidate& best, std::span<const Candidate> candidates) {
  std::map<std::size_t, std::string_view> chosen;
  const auto each = [](const Candidate& candidate, auto take) {
    for (const std::vector<std::size_t>& block : candidate.layout->blocks) {
      for (std::size_t i = 0; i < block.size(); ++i) {
        const FamilyTensor* tensor = candidate.order[i].tensor;
        if (tensor != nullptr && !tensor->role.empty()) take(block[i], tensor->role);
      }
    }
  };
  each(best, [&](std::size_t tensor, std::string_view role) { chosen[tensor] = role; });
  std::set<std::string> rivals;
  for (const Candidate& other : candidates) {
    if (other.family == nullptr || other.bytes != best.bytes ||
        other.edges_agree != best.edges_agree || other.alphabetical != best.alphabetical) {
      continue;
    }
    each(other, [&](std::size_t tensor, std::string_view role) {
      const auto found = chosen.find(tensor);
      if (found == chosen.end() || found->second == role) return;
      const auto [first, second] = std::minmax(found->second, role);
      rivals.insert(std::string(first) + "|" + std::string(second));
    });
  }
  return rivals;
}

// What stands around the blocks: embedding, head and norms.
class Surroundings {
 public:
  Surroundings(const Candidate& candidate, std::span<const StoredTensor> stored)
      : candidate_(candidate), layout_(*candidate.layout), stored_(stored) {
    hidden_ = hidden_size(stored, layout_.blocks.front());
  }

  std::vector<MatchedTensor> matched() {
    add_tables();
    add_norms();
    return std::move(matched_);
  }

 private:
  std::vector<std::size_t> of_rank(const std::vector<std::size_t>& among, std::size_t rank) const {
    std::vector<std::size_t> result;
    for (const std::size_t i : among) {
      const Shape& shape = stored_[i].entry.shape;
      if (shape.size() == rank && shape.back() == hidden_) result.push_back(i);
    }
    return result;
  }

  void add(std::string_view role, std::size_t tensor, int layer = -1) {
    if (const FamilyTensor* as = plain_role(role)) {
      matched_.push_back({.tensor = tensor, .as = as, .layer = layer});
    }
  }

  // Embedding before the blocks and head behind them. Sorted by name, both stand
  // on one side, and "head", "lm_head", "output" come before "tok", "wte".
  void add_tables() {
    std::vector<std::size_t> before = of_rank(layout_.before, 2);
    std::vector<std::size_t> after = of_rank(layout_.after, 2);
    add_positions(before);
    if (before.size() + after.size() > 2) return;
    if (before.size() == 1 || after.empty()) {
      std::ranges::copy(after, std::back_inserter(before));
      if (before.size() == 2 && after.empty() && candidate_.alphabetical) {
        std::ranges::reverse(before);
      }
    } else {
      std::ranges::reverse_copy(after, std::back_inserter(before));
    }
    if (!before.empty()) add("embed.tokens", before[0]);
    if (before.size() == 2) add("head.out", before[1]);
  }

  // A learned position table stands beside a larger token table.
  void add_positions(std::vector<std::size_t>& before) {
    if (before.size() != 2 || !has_norm_bias()) return;
    const auto rows = [&](std::size_t i) { return stored_[i].entry.shape[0]; };
    const auto fewer = std::ranges::min_element(before, {}, rows);
    if (rows(before[0]) == rows(before[1])) return;
    add("embed.positions", *fewer);
    before.erase(fewer);
  }

  bool has_norm_bias() const { return pedigree::has_norm_bias(candidate_.order); }

  bool block_has_norms() const {
    return std::ranges::any_of(candidate_.order, [](const OrderedTensor& one) {
      return one.tensor != nullptr && one.tensor->role == "attn.norm";
    });
  }

  void add_norms() {
    std::vector<std::size_t> vectors = of_rank(layout_.before, 1);
    std::ranges::copy(of_rank(layout_.after, 1), std::back_inserter(vectors));
    const std::size_t layers = layout_.blocks.size();
    if (vectors.size() == 1) {
      add("head.norm", vectors[0]);
    } else if (vectors.size() == 2 && has_norm_bias()) {
      add(candidate_.alphabetical ? "head.norm.bias" : "head.norm", vectors[0]);
      add(candidate_.alphabetical ? "head.norm" : "head.norm.bias", vectors[1]);
    } else if (vectors.size() == 2 * layers + 1 && !block_has_norms()) {
      for (std::size_t i = 0; i < 2 * layers; ++i) {
        add(i % 2 == 0 ? "attn.norm" : "ffn.norm", vectors[i], static_cast<int>(i / 2));
      }
      add("head.norm", vectors.back());
    }
  }

  const Candidate& candidate_;
  const Layout& layout_;
  std::span<const StoredTensor> stored_;
  std::uint64_t hidden_ = 0;
  std::vector<MatchedTensor> matched_;
};

std::vector<std::string> ambiguous_roles(std::span<const MatchedTensor> matched,
                                         std::span<const StoredTensor> stored,
                                         const std::set<std::string>& rivals) {
  std::map<std::pair<bool, Shape>, std::set<std::string>> by_shape;
  for (const MatchedTensor& one : matched) {
    if (one.layer > 0 || one.as->role.empty()) continue;
    by_shape[{one.layer < 0, stored[one.tensor].entry.shape}].insert(one.as->role);
  }
  std::vector<std::string> result(rivals.begin(), rivals.end());
  for (const auto& [shape, roles] : by_shape) {
    if (roles.size() < 2) continue;
    std::string text;
    for (const std::string& role : roles) text += (text.empty() ? "" : "|") + role;
    result.push_back(std::move(text));
  }
  std::ranges::sort(result);
  const auto doubles = std::ranges::unique(result);
  result.erase(doubles.begin(), doubles.end());
  return result;
}

// Positions in a block by shape, for roles_by_shape.
class BlockShapes {
 public:
  BlockShapes(std::span<const Shape> shapes, std::uint64_t hidden)
      : shapes_(shapes), hidden_(hidden), roles_(shapes.size()) {}

  std::vector<std::string> roles() {
    assign_mlp();
    assign_attention();
    assign_norms();
    return std::move(roles_);
  }

 private:
  std::vector<std::size_t> free(const Shape& shape) const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      if (roles_[i].empty() && shapes_[i] == shape) result.push_back(i);
    }
    return result;
  }

  std::set<std::uint64_t> widths() const {
    std::set<std::uint64_t> result;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      if (!roles_[i].empty() || shapes_[i].size() != 2) continue;
      if (shapes_[i][1] == hidden_) result.insert(shapes_[i][0]);
    }
    return result;
  }

  // The widest MLP: one or two matrices into it and one out of it.
  void assign_mlp() {
    for (const std::uint64_t width : widths()) {
      const std::vector<std::size_t> in = free({width, hidden_});
      const std::vector<std::size_t> out = free({hidden_, width});
      if (width == hidden_ || in.empty() || in.size() > 2 || out.size() != 1) continue;
      if (width < hidden_ && in.size() < 2) continue;  // o and q of narrow heads
      std::ranges::replace_if(
          roles_, [](const std::string& role) { return role.starts_with("ffn."); }, "");
      if (in.size() == 2) roles_[in[0]] = "ffn.gate";
      roles_[in.back()] = "ffn.up";
      roles_[out[0]] = "ffn.down";
    }
  }

  void assign_attention() {
    const std::vector<std::size_t> square = free({hidden_, hidden_});
    if (square.size() == 4) {
      name(square, {"attn.q", "attn.k", "attn.v", "attn.o"});
      return;
    }
    for (const std::uint64_t width : widths()) {
      const std::vector<std::size_t> in = free({width, hidden_});
      const std::vector<std::size_t> out = free({hidden_, width});
      if (width == hidden_ && in.size() == 2) {
        // By name "k, o, q, v", in a model's own order "q, k, v, o".
        const bool key_first = key_before(in[0]);
        roles_[in[0]] = key_first ? "attn.o" : "attn.q";
        roles_[in[1]] = key_first ? "attn.q" : "attn.o";
      } else if (width != hidden_ && in.size() == 1 && out.size() == 1) {
        roles_[in[0]] = "attn.q";
        roles_[out[0]] = "attn.o";
      } else if (width != hidden_ && in.size() == 2 && out.empty()) {
        name(in, {"attn.k", "attn.v"});
      }
    }
  }

  bool key_before(std::size_t position) const {
    for (std::size_t i = 0; i < position; ++i) {
      if (roles_[i].empty() || roles_[i] == "attn.k") {
        if (shapes_[i].size() == 2 && shapes_[i][1] == hidden_) return true;
      }
    }
    return false;
  }

  void assign_norms() {
    const std::vector<std::size_t> norms = free({hidden_});
    if (norms.size() == 2) name(norms, {"attn.norm", "ffn.norm"});
  }

  void name(const std::vector<std::size_t>& positions,
            std::initializer_list<std::string_view> roles) {
    std::size_t i = 0;
    for (const std::string_view role : roles) roles_[positions[i++]] = role;
  }

  std::span<const Shape> shapes_;
  std::uint64_t hidden_;
  std::vector<std::string> roles_;
};

}  // namespace

std::vector<std::string> roles_by_shape(std::span<const Shape> shapes, std::uint64_t hidden) {
  return BlockShapes(shapes, hidden).roles();
}

std::optional<ShapeRoles> roles_from_shapes(std::span<const StoredTensor> stored,
                                            std::span<const Family* const> alike) {
  const std::vector<Layout> layouts = block_layouts(stored);
  const std::vector<Candidate> candidates = candidates_of(layouts, stored, alike);
  const auto best = std::ranges::max_element(
      candidates, {}, [&](const Candidate& candidate) { return worth(candidate, layouts); });
  if (best == candidates.end() || best->bytes == 0) return std::nullopt;
  std::vector<MatchedTensor> matched = Surroundings(*best, stored).matched();
  for (std::size_t layer = 0; layer < best->layout->blocks.size(); ++layer) {
    std::ranges::move(
        matched_block(best->layout->blocks[layer], best->order, static_cast<int>(layer)),
        std::back_inserter(matched));
  }
  const Sizes sizes(stored, matched);
  ShapeRoles result;
  std::uint64_t bytes = 0;
  std::uint64_t all_bytes = 0;
  for (const StoredTensor& tensor : stored) all_bytes += tensor.entry.extent.size();
  for (const MatchedTensor& one : matched) {
    if (!sizes.confirms(one, stored[one.tensor])) continue;
    bytes += stored[one.tensor].entry.extent.size();
    result.matched.push_back(one);
  }
  if (all_bytes == 0 || bytes < all_bytes - bytes) return std::nullopt;
  result.byte_share = static_cast<double>(bytes) / static_cast<double>(all_bytes);
  result.count_share =
      static_cast<double>(result.matched.size()) / static_cast<double>(stored.size());
  result.ambiguous = ambiguous_roles(result.matched, stored, rival_roles(*best, candidates));
  return result;
}

}  // namespace pedigree
