#include "model/shape_fit.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace pedigree {
namespace {

using Shape = std::vector<std::uint64_t>;

constexpr std::size_t most_steps = 12'000;
constexpr std::uint64_t most_experts = 4096;

// The sum of what is known of a size, and the one term that is not.
struct Reading {
  std::uint64_t sum = 0;
  const SizeTerm* open = nullptr;
  bool is_readable = true;  // no two terms are open, and nothing overflows
};

Reading read(const SizeFormula& formula, const KnownSizes& sizes) {
  Reading reading;
  for (const SizeTerm& term : formula) {
    const std::uint64_t value = sizes.find(term.symbol);
    std::uint64_t product = 0;
    if (value == 0 && reading.open == nullptr) {
      reading.open = &term;
    } else if (value == 0 || __builtin_mul_overflow(value, term.coefficient, &product) ||
               __builtin_add_overflow(reading.sum, product, &reading.sum)) {
      reading.is_readable = false;
      return reading;
    }
  }
  return reading;
}

// Makes the formula mean `size`, if it can.
bool unify(const SizeFormula& formula, std::uint64_t size, KnownSizes& sizes) {
  const Reading reading = read(formula, sizes);
  if (!reading.is_readable || reading.sum > size) return false;
  if (reading.open == nullptr) return reading.sum == size;
  const std::uint64_t rest = size - reading.sum;
  if (rest == 0 || rest % reading.open->coefficient != 0) return false;
  sizes.set(reading.open->symbol, rest / reading.open->coefficient);
  return true;
}

// Where experts lie flat the first two sizes are one in the file.
bool unify(const FamilyTensor& tensor, const Shape& shape, KnownSizes& sizes) {
  Shape logical = shape;
  if (tensor.flat) {
    const std::uint64_t experts = sizes.find(Symbol::experts);
    if (shape.size() != 2 || experts == 0 || shape[0] % experts != 0) return false;
    logical = {experts, shape[0] / experts, shape[1]};
  }
  if (logical.size() != tensor.shape.size()) return false;
  for (std::size_t axis = 0; axis < logical.size(); ++axis) {
    if (!unify(tensor.shape[axis], logical[axis], sizes)) return false;
  }
  return true;
}

bool is_open(const FamilyTensor& tensor, const KnownSizes& sizes) {
  return std::ranges::any_of(tensor.shape, [&](const SizeFormula& formula) {
    return std::ranges::any_of(formula,
                               [&](const SizeTerm& term) { return sizes.find(term.symbol) == 0; });
  });
}

// Can a shape tell the sizes that are still open? Not two terms of one sum at once, and not of
// experts before they are counted.
bool can_be_told(const FamilyTensor& tensor, const KnownSizes& sizes) {
  if ((tensor.flat || tensor.per_expert) && sizes.find(Symbol::experts) == 0) return false;
  return std::ranges::all_of(
      tensor.shape, [&](const SizeFormula& formula) { return read(formula, sizes).is_readable; });
}

// The shape a tensor has once all its sizes are known.
std::optional<Shape> stored_shape(const FamilyTensor& tensor, const KnownSizes& sizes) {
  Shape shape;
  shape.reserve(tensor.shape.size());
  for (const SizeFormula& formula : tensor.shape) {
    const Reading reading = read(formula, sizes);
    if (!reading.is_readable || reading.open != nullptr) return std::nullopt;
    shape.push_back(reading.sum);
  }
  if (tensor.flat) {
    if (__builtin_mul_overflow(shape[0], shape[1], &shape[1])) return std::nullopt;
    shape.erase(shape.begin());
  }
  return shape;
}

class Search {
 public:
  Search(std::span<const FamilyTensor* const> tensors, const ShapeBag& bag)
      : tensors_(tensors.begin(), tensors.end()), bag_(bag) {
    // Routers before experts, which they count; then what a model must have, matrices first.
    std::ranges::stable_sort(tensors_, {}, [](const FamilyTensor* tensor) {
      const bool vector = tensor->shape.size() == 1;
      return std::tuple(tensor->flat || tensor->per_expert, tensor->optional, vector);
    });
  }

  ShapeFit run(const KnownSizes& known) {
    State start = {.sizes = known, .is_done = std::vector<bool>(tensors_.size())};
    start.supply.reserve(bag_.size());
    for (const auto& [shape, count] : bag_) {
      start.supply.push_back(count);
      start.left += static_cast<std::ptrdiff_t>(count);
    }
    visit(start);
    return std::move(best_);
  }

 private:
  struct State {
    KnownSizes sizes = {};
    std::vector<bool> is_done = {};
    std::vector<std::size_t> supply = {};  // of each shape of the bag
    std::ptrdiff_t left = 0;               // their sum
    ShapeFit fit = {};
  };

  // What no step from here on can exceed.
  std::ptrdiff_t most(const State& state) const { return worth(state.fit) + state.left; }

  std::ptrdiff_t worth(const ShapeFit& fit) const {
    return static_cast<std::ptrdiff_t>(fit.matched) - static_cast<std::ptrdiff_t>(fit.missing);
  }

  auto rank(const ShapeFit& fit) const {
    return std::pair(worth(fit), -static_cast<std::ptrdiff_t>(fit.optional));
  }

  std::size_t times(const FamilyTensor& tensor, const KnownSizes& sizes) const {
    if (!tensor.per_expert) return 1;
    return static_cast<std::size_t>(
        std::clamp<std::uint64_t>(sizes.find(Symbol::experts), 1, most_experts));
  }

  // Takes tensors of the `place`th shape for this one.
  void take(State& state, std::size_t index, std::optional<std::size_t> place) const {
    const FamilyTensor& tensor = *tensors_[index];
    state.is_done[index] = true;
    const std::size_t wanted = times(tensor, state.sizes);
    const std::size_t got = place ? std::min(wanted, state.supply[*place]) : 0;
    if (place) state.supply[*place] -= got;
    state.left -= static_cast<std::ptrdiff_t>(got);
    state.fit.matched += got;
    if (tensor.optional && tensor.in_layer) state.fit.optional += got;
    if (!tensor.optional) state.fit.missing += wanted - got;
    if (got > 0) state.fit.seen.push_back(&tensor);
  }

  std::optional<std::size_t> place_of(const FamilyTensor& tensor, const KnownSizes& sizes) const {
    const std::optional<Shape> shape = stored_shape(tensor, sizes);
    const auto found = shape ? bag_.find(*shape) : bag_.end();
    if (found == bag_.end()) return std::nullopt;
    return static_cast<std::size_t>(std::distance(bag_.begin(), found));
  }

  void take_told(State& state, bool optional) const {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const FamilyTensor& tensor = *tensors_[i];
      if (state.is_done[i] || tensor.optional != optional) continue;
      if (is_open(tensor, state.sizes)) continue;
      if (tensor.per_expert && state.sizes.find(Symbol::experts) == 0) continue;
      take(state, i, place_of(tensor, state.sizes));
    }
  }

  // All whose sizes are known take their shapes, in order. False once that makes no sense.
  bool take_told(State& state) const {
    take_told(state, false);
    // What need not be there takes nothing from what has to be.
    bool is_complete = true;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      is_complete = is_complete && (state.is_done[i] || tensors_[i]->optional);
    }
    if (is_complete) take_told(state, true);
    // A table of positions has fewer rows than one of tokens, and a head about as many.
    const std::uint64_t vocab = state.sizes.find(Symbol::vocab);
    const std::uint64_t head = state.sizes.find(Symbol::head_rows);
    const bool head_fits = head == 0 || (head >= vocab / 2 && head / 2 <= vocab);
    return vocab == 0 || (state.sizes.find(Symbol::positions) < vocab && head_fits);
  }

  // How many shapes that are left could be this tensor's.
  std::size_t choices(const FamilyTensor& tensor, const State& state) const {
    std::size_t count = 0;
    std::size_t place = 0;
    for (auto shape = bag_.begin(); shape != bag_.end(); ++shape, ++place) {
      KnownSizes sizes = state.sizes;
      if (state.supply[place] > 0 && unify(tensor, shape->first, sizes)) ++count;
    }
    return count;
  }

  // The one with the fewest choices, what a model must have first; those that no shape can tell
  // yet last.
  std::optional<std::size_t> next_of(const State& state) const {
    std::optional<std::size_t> next;
    auto fewest = std::tuple(true, true, std::numeric_limits<std::size_t>::max());
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (state.is_done[i]) continue;
      const FamilyTensor& tensor = *tensors_[i];
      const bool is_dark = !can_be_told(tensor, state.sizes);
      const auto cost = std::tuple(is_dark, tensor.optional, is_dark ? 0 : choices(tensor, state));
      if (!next || cost < fewest) {
        next = i;
        fewest = cost;
      }
    }
    return next;
  }

  void visit(State state) {
    if (++steps_ > most_steps || !take_told(state)) return;
    if (is_scored_ && most(state) < worth(best_)) return;
    const std::optional<std::size_t> next = next_of(state);
    if (!next) {
      if (!is_scored_ || rank(state.fit) > rank(best_)) best_ = state.fit;
      best_.sizes = state.sizes;
      is_scored_ = true;
      return;
    }
    const std::size_t index = *next;
    const FamilyTensor& tensor = *tensors_[index];
    bool is_told = false;
    std::size_t place = 0;
    for (auto shape = bag_.begin(); shape != bag_.end(); ++shape, ++place) {
      State told = state;
      if (state.supply[place] == 0 || !unify(tensor, shape->first, told.sizes)) continue;
      is_told = true;
      take(told, index, place);
      visit(std::move(told));
      if (is_perfect()) return;
    }
    if (is_told && !tensor.optional) return;
    take(state, index, std::nullopt);
    visit(std::move(state));
  }

  bool is_perfect() const {
    std::ptrdiff_t all = 0;
    for (const auto& [shape, count] : bag_) all += static_cast<std::ptrdiff_t>(count);
    return is_scored_ && worth(best_) == all && best_.optional == 0;
  }

  std::vector<const FamilyTensor*> tensors_;
  const ShapeBag& bag_;
  std::size_t steps_ = 0;
  bool is_scored_ = false;
  ShapeFit best_;
};

}  // namespace

ShapeFit fit_shapes(std::span<const FamilyTensor* const> tensors, const ShapeBag& bag,
                    const KnownSizes& known) {
  return Search(tensors, bag).run(known);
}

}  // namespace pedigree
