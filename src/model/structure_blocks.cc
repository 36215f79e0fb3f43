#include "model/structure_blocks.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace pedigree {
namespace {

constexpr std::size_t most_tensors = 50'000;
constexpr std::size_t longest_block = 1024;  // with its experts
// Steps of looking for repetition; of a model of 50,000 tensors blocks are 256 long at most.
constexpr std::size_t most_comparisons = 12'800'000;
constexpr std::size_t shortest_block = 5;  // q, k, v, o and one MLP matrix

using Indices = std::vector<std::size_t>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view digits_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return text.substr(at, end - at);
}

struct NumberedName {
  std::string slot;  // the name with its first number taken out
  std::string number;
};

std::optional<NumberedName> numbered(std::string_view name) {
  const auto first = std::ranges::find_if(name, is_digit);
  if (first == name.end()) return std::nullopt;
  const auto at = static_cast<std::size_t>(first - name.begin());
  const std::string_view digits = digits_at(name, at);
  NumberedName result = {.slot = std::string(name.substr(0, at)) + "\x01" +
                                 std::string(name.substr(at + digits.size())),
                         .number = std::string(digits)};
  return result;
}

struct NaturalLess {
  bool operator()(const std::string& a, const std::string& b) const { return natural_less(a, b); }
};

using Slots = std::vector<std::pair<std::string, std::size_t>>;  // name without number, tensor
using Numbered = std::map<std::string, Slots, NaturalLess>;      // by number

std::vector<std::string> names_of(const Slots& slots) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : slots) names.push_back(name);
  return names;
}

// What most numbers hold; empty when that is too little or too much for a block.
std::vector<std::string> usual_contents(const Numbered& by_number) {
  std::map<std::vector<std::string>, std::size_t> frequency;
  for (const auto& [number, slots] : by_number) ++frequency[names_of(slots)];
  const auto usual = std::ranges::max_element(
      frequency, {}, [](const auto& entry) { return entry.second * entry.first.size(); });
  if (usual == frequency.end() || usual->first.size() < shortest_block ||
      usual->first.size() > longest_block) {
    return {};
  }
  return usual->first;
}

// Names like "blocks.7.wq": the first number says which block. `order` is that
// of the tensors inside a block and around the blocks.
std::optional<Layout> layout_by_number(std::span<const StoredTensor> stored, const Indices& order,
                                       bool sorted_by_name) {
  Numbered by_number;
  for (const std::size_t i : order) {
    if (auto name = numbered(stored[i].entry.name)) {
      by_number[name->number].emplace_back(std::move(name->slot), i);
    }
  }
  const std::vector<std::string> usual = usual_contents(by_number);
  if (usual.empty()) return std::nullopt;
  Layout layout = {.sorted_by_name = sorted_by_name};
  std::vector<bool> in_block(stored.size());
  for (const auto& [number, slots] : by_number) {
    if (names_of(slots) != usual) continue;
    Indices& block = layout.blocks.emplace_back();
    for (const auto& [name, tensor] : slots) {
      block.push_back(tensor);
      in_block[tensor] = true;
    }
  }
  bool before = true;
  for (const std::size_t i : order) {
    before = before && !in_block[i];
    if (!in_block[i]) (before ? layout.before : layout.after).push_back(i);
  }
  return layout;
}

// Where a sequence repeats itself: `length` tensors from `first` on, each equal
// to the one `period` before it.
struct Repeat {
  std::size_t first = 0;
  std::size_t length = 0;
  std::size_t period = 0;
};

Repeat longest_repeat(const std::vector<std::size_t>& classes, std::size_t period) {
  Repeat best = {.period = period};
  std::size_t run = 0;
  for (std::size_t i = period; i < classes.size(); ++i) {
    run = classes[i] == classes[i - period] ? run + 1 : 0;
    if (run >= period && run + period > best.length) {
      best = {.first = i + 1 - run - period, .length = run + period, .period = period};
    }
  }
  return best;
}

// The period that covers most; of those that cover about as much the shortest.
std::optional<Repeat> best_repeat(const std::vector<std::size_t>& classes) {
  std::optional<Repeat> best;
  const std::size_t affordable = most_comparisons / std::max<std::size_t>(classes.size(), 1);
  for (std::size_t period = shortest_block;
       period <= std::min({longest_block, classes.size() / 2, affordable}); ++period) {
    const Repeat repeat = longest_repeat(classes, period);
    if (repeat.length == 0) continue;
    if (!best || repeat.length > best->length + best->period) best = repeat;
  }
  return best;
}

std::vector<std::size_t> shape_classes(std::span<const StoredTensor> stored, const Indices& order) {
  std::map<Shape, std::size_t> known;
  std::vector<std::size_t> classes;
  for (const std::size_t i : order) {
    classes.push_back(known.try_emplace(stored[i].entry.shape, known.size()).first->second);
  }
  return classes;
}

void add_layouts_by_order(std::vector<Layout>& layouts, std::span<const StoredTensor> stored,
                          const Indices& order, bool sorted_by_name) {
  const std::optional<Repeat> repeat = best_repeat(shape_classes(stored, order));
  if (!repeat) return;
  const auto part = [&](std::size_t begin, std::size_t end) {
    return Indices(order.begin() + static_cast<std::ptrdiff_t>(begin),
                   order.begin() + static_cast<std::ptrdiff_t>(end));
  };
  const std::size_t count = repeat->length / repeat->period;
  for (std::size_t spare = 0; spare <= repeat->length % repeat->period; ++spare) {
    const std::size_t first = repeat->first + spare;
    Layout layout = {.before = part(0, first),
                     .after = part(first + count * repeat->period, order.size()),
                     .sorted_by_name = sorted_by_name};
    for (std::size_t block = 0; block < count; ++block) {
      const std::size_t begin = first + block * repeat->period;
      layout.blocks.push_back(part(begin, begin + repeat->period));
    }
    layouts.push_back(std::move(layout));
  }
}

std::size_t leading_zeros(std::string_view digits) {
  return std::min(digits.find_first_not_of('0'), digits.size());
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view left = digits_at(a, i);
      const std::string_view right = digits_at(b, j);
      const std::string_view left_value = left.substr(leading_zeros(left));
      const std::string_view right_value = right.substr(leading_zeros(right));
      if (left_value != right_value) {
        return std::pair(left_value.size(), left_value) <
               std::pair(right_value.size(), right_value);
      }
      i += left.size();
      j += right.size();
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;
}

std::vector<Layout> block_layouts(std::span<const StoredTensor> stored) {
  std::vector<Layout> layouts;
  if (stored.size() > most_tensors) return layouts;
  Indices by_name(stored.size());
  std::ranges::generate(by_name, [i = std::size_t{0}]() mutable { return i++; });
  Indices by_place = by_name;
  std::ranges::sort(by_name, [&](std::size_t a, std::size_t b) {
    return natural_less(stored[a].entry.name, stored[b].entry.name);
  });
  std::ranges::sort(by_place, {}, [&](std::size_t i) {
    return std::tuple(stored[i].shard, stored[i].entry.extent.begin, i);
  });
  for (const bool sorted_by_name : {true, false}) {
    const Indices& order = sorted_by_name ? by_name : by_place;
    if (auto layout = layout_by_number(stored, order, sorted_by_name)) {
      layouts.push_back(*std::move(layout));
    }
  }
  add_layouts_by_order(layouts, stored, by_name, true);
  add_layouts_by_order(layouts, stored, by_place, false);
  return layouts;
}

}  // namespace pedigree
