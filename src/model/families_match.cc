#include "model/families_match.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

namespace pedigree {
namespace {

using Shape = std::vector<std::uint64_t>;

int scope_of(Symbol symbol, int layer) { return varies_by_layer(symbol) ? layer : -1; }

// The value that stands most often in sorted `values`; absent when two do.
template <std::ranges::forward_range Values>
std::optional<std::uint64_t> majority(const Values& values) {
  std::optional<std::uint64_t> winner;
  std::ptrdiff_t most = 0;
  for (auto begin = values.begin(); begin != values.end();) {
    const auto end = std::ranges::upper_bound(begin, values.end(), *begin);
    const std::ptrdiff_t count = std::ranges::distance(begin, end);
    if (count == most) winner.reset();
    if (count > most) winner = *begin;
    most = std::max(most, count);
    begin = end;
  }
  return winner;
}

constexpr std::uint64_t most_experts = 4096;

// A shape without the axes that are always one: [1, 1, hidden] is a vector; of a kernel each
// output channel is a row.
std::vector<std::uint64_t> axes_of(std::span<const std::uint64_t> shape, const FamilyTensor& as) {
  std::vector<std::uint64_t> axes;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (!is_one(as.shape[axis])) axes.push_back(shape[axis]);
  }
  if (axes.empty()) axes.push_back(1);
  if (!as.stacked && axes.size() > 2) {
    axes[1] = std::reduce(axes.begin() + 1, axes.end(), std::uint64_t{1}, std::multiplies<>());
    axes.resize(2);
  }
  return axes;
}

// The shape that a family's sizes are of: where experts lie flat, in a matrix each; where heads
// have an axis of their own, behind each other.
Shape shape_as(const Shape& stored, const FamilyTensor& as, std::optional<std::uint64_t> experts) {
  if (as.by_head && stored.size() == as.shape.size() + 1) {
    Shape joined(stored.begin() + 1, stored.end());
    if (__builtin_mul_overflow(stored[0], stored[1], &joined[0])) joined.clear();
    return joined;
  }
  if (!as.flat || stored.size() != 2) return stored;
  if (!experts || *experts == 0 || stored[0] % *experts != 0) return {};
  return {*experts, stored[0] / *experts, stored[1]};
}

std::string_view split_name(Turns turns) {
  switch (turns) {
    case Turns::none:
      return "split-concat";
    case Turns::heads:
      return "split-head-interleave";
    case Turns::kv_heads:
      return "split-group-interleave";
    case Turns::rows:
      return "split-gate-up-interleave";
  }
  return {};
}

void add_parts(std::vector<CanonicalTensor>& result, const CanonicalTensor& whole,
               const MatchedTensor& matched, const Sizes& sizes);

// Of a stack of matrices or vectors: one of them.
CanonicalTensor expert_of(const CanonicalTensor& whole, std::span<const std::uint64_t> shape,
                          std::uint64_t expert) {
  CanonicalTensor canonical = whole;
  canonical.expert = static_cast<int>(expert);
  canonical.transforms.emplace_back("stack-experts");
  if (shape.size() == 2) {  // vectors, which lie across the stack's rows
    canonical.rows = shape[1];
    canonical.cols = 1;
    canonical.transposed = true;
    canonical.first_col = expert;
  } else if (whole.transposed) {
    canonical.rows = shape[2];
    canonical.cols = shape[1];
    canonical.first_col = expert * shape[1];
  } else {
    canonical.rows = shape[1];
    canonical.cols = shape[2];
    canonical.first_row = expert * shape[1];
  }
  return canonical;
}

// One canonical tensor for each matrix of a stack, or for each of its parts.
void add_experts(std::vector<CanonicalTensor>& result, const CanonicalTensor& whole,
                 std::span<const std::uint64_t> shape, const MatchedTensor& matched,
                 const Sizes& sizes) {
  for (std::uint64_t expert = 0; expert < std::min(shape[0], most_experts); ++expert) {
    CanonicalTensor canonical = expert_of(whole, shape, expert);
    if (matched.as->parts.empty()) {
      result.push_back(std::move(canonical));
    } else {
      add_parts(result, canonical, matched, sizes);
    }
  }
}

void add_parts(std::vector<CanonicalTensor>& result, const CanonicalTensor& whole,
               const MatchedTensor& matched, const Sizes& sizes) {
  std::uint64_t first_row = 0;
  for (const FamilyPart& part : matched.as->parts) {
    CanonicalTensor canonical = whole;
    canonical.role = part.role;
    canonical.rows = sizes.evaluate(part.rows, matched.layer).value_or(0);
    canonical.first_row = whole.first_row + first_row;
    canonical.transforms.emplace_back(split_name(matched.as->turns));
    if (matched.as->turns != Turns::none) {
      canonical.run = canonical.rows;
      canonical.period = whole.rows;
    }
    first_row += canonical.rows;
    // Parts that reach beyond the stored rows come from a mistaken family file.
    if (first_row > whole.rows) return;
    result.push_back(std::move(canonical));
  }
}

// From parts behind each other to parts that take turns; false when nobody knows how often.
bool take_turns(CanonicalTensor& part, Turns turns, const HeadCounts& counts) {
  if (part.period == 0) return false;
  std::uint64_t times = part.run;
  if (turns == Turns::heads) times = counts.heads;
  if (turns == Turns::kv_heads) times = counts.kv_heads;
  const std::uint64_t base = part.first_row / part.period * part.period;
  const std::uint64_t before = part.first_row - base;
  if (times == 0 || part.run % times != 0 || part.period % times != 0 || before % times != 0) {
    return false;
  }
  part.first_row = base + before / times;
  part.run /= times;
  part.period /= times;
  return true;
}

// From all heads' inputs × a head's outputs to the matrix that the heads make together.
bool turn_heads(CanonicalTensor& tensor, const Sizes& sizes) {
  const std::uint64_t inputs = sizes.find(Symbol::kv_rank, tensor.layer).value_or(0);
  if (inputs == 0 || tensor.rows == 0 || tensor.rows % inputs != 0) return false;
  tensor.transposed = true;
  tensor.run = tensor.cols;
  tensor.rows = tensor.rows / inputs * tensor.cols;
  tensor.cols = inputs;
  tensor.transforms.emplace_back("split-mla-kv");
  return true;
}

// Forks write fused matrices and beside them what they split these into.
void drop_derived(const std::map<std::size_t, const FamilyTensor*>& known,
                  std::vector<CanonicalTensor>& canonical) {
  const auto place = [](const CanonicalTensor& tensor) {
    return std::tuple(tensor.layer, tensor.role, tensor.expert);
  };
  std::set<std::tuple<int, std::string, int>> fused;
  for (const CanonicalTensor& tensor : canonical) {
    if (!known.at(tensor.tensor)->parts.empty()) fused.emplace(place(tensor));
  }
  std::erase_if(canonical, [&](const CanonicalTensor& tensor) {
    return known.at(tensor.tensor)->by_head && fused.contains(place(tensor));
  });
}

// Of one layer, as far as they are stacks.
struct ExpertStacks {
  MatchedTensor* gate = nullptr;
  MatchedTensor* up = nullptr;
  MatchedTensor* down = nullptr;
};

std::map<int, ExpertStacks> stacks_by_layer(std::span<MatchedTensor> matched) {
  std::map<int, ExpertStacks> layers;
  for (MatchedTensor& one : matched) {
    if (!one.as->stacked || !one.as->parts.empty()) continue;
    if (one.as->role == "moe.gate") layers[one.layer].gate = &one;
    if (one.as->role == "moe.up") layers[one.layer].up = &one;
    if (one.as->role == "moe.down") layers[one.layer].down = &one;
  }
  return layers;
}

}  // namespace

void put_experts_right(std::span<const StoredTensor> stored, std::span<MatchedTensor> matched) {
  for (const auto& [unused, stacks] : stacks_by_layer(matched)) {
    const auto& [gate, up, down] = stacks;
    if (gate == nullptr || up == nullptr || down == nullptr) continue;
    const auto shape = [&](const MatchedTensor& one) { return stored[one.tensor].entry.shape; };
    const std::vector<std::uint64_t> own = shape(*gate);
    if (own.size() != 3 || own[1] == own[2] || gate->as->shape != up->as->shape) continue;
    const std::vector<std::uint64_t> turned = {own[0], own[2], own[1]};
    if (shape(*up) != turned || shape(*down) != own) continue;
    std::swap(up->as, down->as);
    up->misnamed = down->misnamed = true;
  }
}

// First from axes that are one size alone, then from sums with one size still unknown.
Sizes::Sizes(std::span<const StoredTensor> stored, std::span<const MatchedTensor> matched) {
  for (const bool sums : {false, true}) {
    std::vector<Known> votes;
    for (const MatchedTensor& one : matched) {
      // How many experts lie flat is told by others.
      if (one.as->flat && !sums) continue;
      add_votes(one, stored[one.tensor], sums, votes);
    }
    count(std::move(votes));
  }
}

void Sizes::add_votes(const MatchedTensor& one, const StoredTensor& stored, bool sums,
                      std::vector<Known>& votes) const {
  const Shape shape = shape_as(stored.entry.shape, *one.as, find(Symbol::experts, one.layer));
  if (shape.size() != one.as->shape.size()) return;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (!one.as->flat && sums != (one.as->shape[axis].size() > 1)) continue;
    const auto vote = vote_of(one.as->shape[axis], one.layer, shape[axis]);
    if (vote) votes.push_back(*vote);
  }
}

std::optional<Sizes::Known> Sizes::vote_of(const SizeFormula& formula, int layer,
                                           std::uint64_t size) const {
  const SizeTerm* open = nullptr;
  for (const SizeTerm& term : formula) {
    const auto known = find(term.symbol, layer);
    std::uint64_t product = 0;
    if (known && (__builtin_mul_overflow(*known, term.coefficient, &product) ||
                  __builtin_sub_overflow(size, product, &size))) {
      return std::nullopt;
    }
    if (known) continue;
    if (open != nullptr) return std::nullopt;
    open = &term;
  }
  if (open == nullptr || size == 0 || size % open->coefficient != 0) return std::nullopt;
  return Known{.scope = scope_of(open->symbol, layer),
               .symbol = open->symbol,
               .size = size / open->coefficient};
}

void Sizes::count(std::vector<Known> votes) {
  const auto question = [](const Known& vote) { return std::pair(vote.scope, vote.symbol); };
  std::ranges::sort(votes, {},
                    [&](const Known& vote) { return std::pair(question(vote), vote.size); });
  for (auto begin = votes.begin(); begin != votes.end();) {
    const auto end = std::find_if(
        begin, votes.end(), [&](const Known& vote) { return question(vote) != question(*begin); });
    if (const auto size =
            majority(std::ranges::subrange(begin, end) | std::views::transform(&Known::size))) {
      known_.push_back({.scope = begin->scope, .symbol = begin->symbol, .size = *size});
    }
    begin = end;
  }
  std::ranges::sort(known_, {}, question);
}

std::optional<std::uint64_t> Sizes::find(Symbol symbol, int layer) const {
  if (symbol == Symbol::one) return 1;
  const std::pair asked(scope_of(symbol, layer), symbol);
  const auto found = std::ranges::lower_bound(
      known_, asked, {}, [](const Known& known) { return std::pair(known.scope, known.symbol); });
  if (found == known_.end() || std::pair(found->scope, found->symbol) != asked) {
    return std::nullopt;
  }
  return found->size;
}

std::optional<std::uint64_t> Sizes::evaluate(const SizeFormula& formula, int layer) const {
  std::uint64_t sum = 0;
  for (const auto& [coefficient, symbol] : formula) {
    const std::optional<std::uint64_t> value = find(symbol, layer);
    std::uint64_t product = 0;
    if (!value || __builtin_mul_overflow(*value, coefficient, &product) ||
        __builtin_add_overflow(sum, product, &sum)) {
      return std::nullopt;
    }
  }
  return sum;
}

bool Sizes::confirms(const MatchedTensor& matched, const StoredTensor& stored) const {
  const Shape shape =
      shape_as(stored.entry.shape, *matched.as, find(Symbol::experts, matched.layer));
  const std::vector<SizeFormula>& expected = matched.as->shape;
  if (shape.size() != expected.size()) return false;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (evaluate(expected[axis], matched.layer) != shape[axis]) return false;
  }
  return true;
}

std::vector<CanonicalTensor> canonical_tensors(std::span<const StoredTensor> stored,
                                               std::span<const MatchedTensor> matched,
                                               const Sizes& sizes) {
  std::vector<CanonicalTensor> result;
  for (const MatchedTensor& one : matched) {
    const Shape shape = axes_of(
        shape_as(stored[one.tensor].entry.shape, *one.as, sizes.find(Symbol::experts, one.layer)),
        *one.as);
    CanonicalTensor canonical = {.role = one.as->role,
                                 .layer = one.layer,
                                 .expert = one.expert,
                                 .rows = shape[0],
                                 .cols = shape.size() == 2 ? shape[1] : 1,
                                 .tensor = one.tensor,
                                 .transposed = one.as->transpose,
                                 .added = one.as->added};
    if (canonical.transposed) {
      std::swap(canonical.rows, canonical.cols);
      canonical.transforms.emplace_back("transpose");
    }
    if (one.misnamed) canonical.transforms.emplace_back("swap-up-down");
    if (canonical.added != 0) canonical.transforms.emplace_back("norm-plus-one");
    if (one.as->turned_heads) {
      if (turn_heads(canonical, sizes)) result.push_back(std::move(canonical));
    } else if (one.as->stacked) {
      add_experts(result, canonical, shape, one, sizes);
    } else if (one.as->parts.empty()) {
      result.push_back(std::move(canonical));
    } else {
      add_parts(result, canonical, one, sizes);
    }
  }
  std::ranges::sort(result, {}, [](const CanonicalTensor& tensor) {
    return std::tuple(tensor.layer, std::string_view(tensor.role), tensor.expert);
  });
  return result;
}

void set_row_orders(std::span<const MatchedTensor> matched, const HeadCounts& counts,
                    std::vector<CanonicalTensor>& canonical) {
  std::map<std::size_t, const FamilyTensor*> known;
  for (const MatchedTensor& one : matched) known.emplace(one.tensor, one.as);
  std::erase_if(canonical, [&](CanonicalTensor& tensor) {
    const FamilyTensor& as = *known.at(tensor.tensor);
    return as.turns != Turns::none && !take_turns(tensor, as.turns, counts);
  });
  drop_derived(known, canonical);
  for (CanonicalTensor& tensor : canonical) {
    if (!known.at(tensor.tensor)->paired) continue;
    const std::uint64_t heads = tensor.role.starts_with("attn.q") ? counts.heads : counts.kv_heads;
    if (heads == 0 || tensor.rows % (2 * heads) != 0) continue;
    tensor.paired_heads = heads;
    tensor.transforms.emplace_back("rope-permute");
  }
}

}  // namespace pedigree
