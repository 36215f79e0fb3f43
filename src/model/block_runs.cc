#include "model/block_runs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "model/structure_blocks.h"

namespace pedigree {
namespace {

constexpr std::size_t most_tensors = 50'000;
constexpr std::size_t longest_block = 1024;  // with its experts
constexpr std::size_t shortest_block = 5;
// Steps of looking for repetition; a model of 50,000 tensors gets blocks of 256 and no more.
constexpr std::size_t most_comparisons = 12'800'000;

using Indices = std::vector<std::size_t>;
using Shapes = std::span<const StoredTensor>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What stands in front of a name's first number, and the number.
std::optional<std::pair<std::string, std::string>> place_of(std::string_view name) {
  const auto first = std::ranges::find_if(name, is_digit);
  if (first == name.end()) return std::nullopt;
  const auto last = std::find_if_not(first, name.end(), is_digit);
  return std::pair(std::string(name.begin(), first), std::string(first, last));
}

void add(ShapeBag& bag, const StoredTensor& tensor) { ++bag[tensor.entry.shape]; }

// Blocks of one kind, wherever they stand.
void add_block(std::vector<BlockRun>& runs, ShapeBag shapes, std::size_t times) {
  const auto same = std::ranges::find(runs, shapes, &BlockRun::shapes);
  if (same != runs.end()) {
    same->times += times;
  } else {
    runs.push_back({.shapes = std::move(shapes), .times = times});
  }
}

std::optional<BlockReading> reading_by_number(std::span<const StoredTensor> stored) {
  std::map<std::pair<std::string, std::string>, Indices> blocks;
  std::vector<bool> is_inside(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (auto place = place_of(stored[i].entry.name)) blocks[*std::move(place)].push_back(i);
  }
  std::map<std::string_view, std::size_t> numbers;  // of blocks behind one beginning
  for (const auto& [place, tensors] : blocks) {
    if (tensors.size() >= shortest_block) ++numbers[place.first];
  }
  BlockReading reading;
  for (const auto& [place, tensors] : blocks) {
    if (tensors.size() < shortest_block || numbers[place.first] < 2) continue;
    ShapeBag shapes;
    for (const std::size_t i : tensors) {
      add(shapes, stored[i]);
      is_inside[i] = true;
    }
    add_block(reading.runs, std::move(shapes), 1);
  }
  if (reading.runs.empty()) return std::nullopt;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (!is_inside[i]) add(reading.outside, stored[i]);
  }
  return reading;
}

// To which end of a repetition what is less than a block is left.
enum class Rest { behind, in_front };

// Repetition in a sequence of shapes, the most of it first and then in what is left on either
// side. Where a block begins does not matter: the shapes of a period are the same.
class Repeats {
 public:
  Repeats(std::span<const StoredTensor> stored, const Indices& order, Rest rest)
      : stored_(stored), rest_(rest) {
    std::map<std::vector<std::uint64_t>, std::size_t> known;
    order_ = order;
    classes_.reserve(order.size());
    for (const std::size_t i : order) {
      classes_.push_back(known.try_emplace(stored[i].entry.shape, known.size()).first->second);
    }
  }

  std::optional<BlockReading> reading() {
    split(0, classes_.size());
    if (reading_.runs.empty()) return std::nullopt;
    return std::move(reading_);
  }

 private:
  struct Repeat {
    std::size_t first = 0;
    std::size_t length = 0;
    std::size_t period = 0;
  };

  Repeat longest(std::size_t begin, std::size_t end, std::size_t period) const {
    Repeat best = {.period = period};
    std::size_t run = 0;
    for (std::size_t i = begin + period; i < end; ++i) {
      run = classes_[i] == classes_[i - period] ? run + 1 : 0;
      if (run >= period && run + period > best.length) {
        best = {.first = i + 1 - run - period, .length = run + period, .period = period};
      }
    }
    return best;
  }

  // The period that covers most; of those that cover about as much the shortest.
  Repeat best(std::size_t begin, std::size_t end) const {
    Repeat best;
    const std::size_t count = end - begin;
    const std::size_t affordable = most_comparisons / std::max<std::size_t>(count, 1);
    for (std::size_t period = shortest_block;
         period <= std::min({longest_block, count / 2, affordable}); ++period) {
      const Repeat repeat = longest(begin, end, period);
      if (repeat.length > best.length + best.period) best = repeat;
    }
    return best;
  }

  void split(std::size_t begin, std::size_t end) {
    const Repeat repeat = best(begin, end);
    if (repeat.length == 0) {
      for (std::size_t i = begin; i < end; ++i) add(reading_.outside, stored_[order_[i]]);
      return;
    }
    const std::size_t times = repeat.length / repeat.period;
    const std::size_t first =
        repeat.first + (rest_ == Rest::in_front ? repeat.length % repeat.period : 0);
    ShapeBag shapes;
    for (std::size_t i = 0; i < repeat.period; ++i) {
      add(shapes, stored_[order_[first + i]]);
    }
    add_block(reading_.runs, std::move(shapes), times);
    split(begin, first);
    split(first + times * repeat.period, end);
  }

  std::span<const StoredTensor> stored_;
  Rest rest_ = Rest::behind;
  Indices order_;
  std::vector<std::size_t> classes_;
  BlockReading reading_;
};

std::size_t tensors_in_runs(const BlockReading& reading) {
  std::size_t total = 0;
  for (const BlockRun& run : reading.runs) {
    for (const auto& [shape, count] : run.shapes) total += run.times * count;
  }
  return total;
}

// Names in disorder repeat by chance, here and there.
void drop_worse(std::vector<BlockReading>& readings) {
  constexpr std::size_t half = 2;
  std::size_t most = 0;
  for (const BlockReading& reading : readings) most = std::max(most, tensors_in_runs(reading));
  std::erase_if(readings, [&](const BlockReading& reading) {
    return half * tensors_in_runs(reading) < most;
  });
}

// Large shapes first: what comes first is what a block mostly is.
std::string run_text(const BlockRun& run) {
  constexpr std::size_t most_shapes = 32;
  std::vector<std::string> parts;
  for (auto shape = run.shapes.rbegin(); shape != run.shapes.rend(); ++shape) {
    if (parts.size() == most_shapes) {
      parts.push_back(fmt::format("{} more", run.shapes.size() - most_shapes));
      break;
    }
    std::string text = fmt::format("{}", fmt::join(shape->first, "×"));
    if (text.empty()) text = "1";
    parts.push_back(shape->second == 1 ? text : fmt::format("{} of {}", shape->second, text));
  }
  return fmt::format("{} × {{{}}}", run.times, fmt::join(parts, " · "));
}

}  // namespace

std::vector<BlockReading> block_readings(std::span<const StoredTensor> stored) {
  std::vector<BlockReading> readings;
  if (stored.size() > most_tensors) return readings;
  const auto keep = [&](std::optional<BlockReading> reading) {
    if (reading && std::ranges::find(readings, *reading) == readings.end()) {
      readings.push_back(*std::move(reading));
    }
  };
  keep(reading_by_number(stored));
  Indices order(stored.size());
  std::ranges::generate(order, [next = std::size_t{0}]() mutable { return next++; });
  std::ranges::sort(order, {}, [&](std::size_t i) {
    return std::tuple(stored[i].shard, stored[i].entry.extent.begin, i);
  });
  for (const Rest rest : {Rest::in_front, Rest::behind}) {
    keep(Repeats(stored, order, rest).reading());
  }
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return natural_less(stored[a].entry.name, stored[b].entry.name);
  });
  for (const Rest rest : {Rest::in_front, Rest::behind}) {
    keep(Repeats(stored, order, rest).reading());
  }
  drop_worse(readings);
  return readings;
}

std::string block_template(std::span<const StoredTensor> stored) {
  constexpr std::size_t most_runs = 4;
  std::vector<BlockReading> readings = block_readings(stored);
  const auto best = std::ranges::max_element(readings, {}, tensors_in_runs);
  if (best == readings.end()) return {};
  std::ranges::sort(best->runs, std::greater(),
                    [](const BlockRun& run) { return std::pair(run.times, run.shapes); });
  std::vector<std::string> parts;
  for (const BlockRun& run : best->runs) {
    if (parts.size() == most_runs) {
      parts.emplace_back("…");
      break;
    }
    parts.push_back(run_text(run));
  }
  return fmt::format("{}", fmt::join(parts, " + "));
}

}  // namespace pedigree
