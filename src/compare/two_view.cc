#include "compare/two_view.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>

#include "base/parallel.h"
#include "compare/dense.h"
#include "tensor/reduce.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_agreeing = 20;
constexpr std::uint64_t matching_seed = 0x74776F76696577ULL;

// Ready for any number of block pairs.
struct ReadyViews {
  PreparedRows first = {};
  PreparedRows second = {};
};

Matrix likeness(const PreparedRows& subject, const PreparedRows& base, bool up_to_sign) {
  const PreparedView view{.subject = &subject, .base = &base, .up_to_sign = up_to_sign};
  return similarity(std::span(&view, 1));
}

// Partner of each row of the smaller side, from either orientation.
std::vector<std::size_t> partners(const Matrix& cosines) {
  return best_assignment(cosines.rows <= cosines.cols ? cosines : transposed(cosines),
                         matching_seed);
}

bool cannot_agree(const NeuronViews& subject, const NeuronViews& base) {
  return subject.neurons.empty() || base.neurons.empty() || subject.gated != base.gated;
}

NeuronPairs agreeing(const NeuronViews& subject, const ReadyViews& mine, const NeuronViews& base,
                     const ReadyViews& theirs) {
  NeuronPairs pairs;
  if (cannot_agree(subject, base)) return pairs;
  const auto by_first = partners(likeness(mine.first, theirs.first, false));
  const auto by_second = partners(likeness(mine.second, theirs.second, subject.gated));
  const bool turned = subject.neurons.size() > base.neurons.size();
  for (std::size_t i = 0; i < by_first.size(); ++i) {
    if (by_first[i] != by_second[i]) continue;
    const std::size_t left = turned ? by_first[i] : i;
    const std::size_t right = turned ? i : by_first[i];
    pairs.emplace_back(subject.neurons[left], base.neurons[right]);
  }
  std::ranges::sort(pairs);
  return pairs;
}

ReadyViews made_ready(const NeuronViews& views) {
  if (views.neurons.empty()) return {};
  return {.first = prepared(views.first), .second = prepared(views.second)};
}

// Half of what two views must agree on in 64 neurons for a cell to be solved.
constexpr std::size_t screened_neurons = 64;
constexpr std::size_t screened_tokens = 64;
constexpr std::size_t screened_agreement = 4;

PreparedRows on_tokens(const Matrix& responses, std::span<const std::size_t> tokens) {
  Matrix part(responses.rows, tokens.size());
  for (std::size_t i = 0; i < part.rows; ++i) {
    for (std::size_t j = 0; j < part.cols; ++j) part.at(i, j) = responses.at(i, tokens[j]);
  }
  return prepared(std::move(part));
}

ReadyViews ready_to_screen(const NeuronViews& views) {
  if (views.neurons.empty()) return {};
  const auto tokens = spread_places(views.first.cols, screened_tokens);
  return {.first = on_tokens(views.first, tokens), .second = on_tokens(views.second, tokens)};
}

std::vector<ReadyViews> all_ready(const std::vector<NeuronViews>& views, unsigned threads,
                                  ReadyViews (*make)(const NeuronViews&)) {
  std::vector<ReadyViews> ready(views.size());
  const auto failed =
      parallel_for(views.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        ready[i] = make(views[i]);
        return std::nullopt;
      });
  check(!failed, "making views ready cannot fail");
  return ready;
}

std::size_t nearest(std::span<const float> row, const PreparedRows& among, bool up_to_sign) {
  std::size_t best = 0;
  double largest = -2;
  for (std::size_t j = 0; j < among.rows; ++j) {
    const double signed_value = dot(row, among.row(j));
    const double value = up_to_sign ? std::abs(signed_value) : signed_value;
    if (value > largest) {
      largest = value;
      best = j;
    }
  }
  return best;
}

// Of up to 64 neurons of the smaller side, how many have the same nearest neuron in
// both views: about one hundredth of the cost of agreeing_neurons().
std::size_t nearest_agreement(const ReadyViews& one, const ReadyViews& other, bool up_to_sign) {
  if (one.first.rows > other.first.rows) return nearest_agreement(other, one, up_to_sign);
  std::size_t agreeing = 0;
  for (const std::size_t i : spread_places(one.first.rows, screened_neurons)) {
    const std::size_t by_first = nearest(one.first.row(i), other.first, false);
    const std::size_t by_second = nearest(one.second.row(i), other.second, up_to_sign);
    agreeing += by_first == by_second ? 1U : 0U;
  }
  return agreeing;
}

struct AgreementTable {
  std::size_t columns = 0;
  std::vector<NeuronPairs> cells = {};

  const NeuronPairs& at(std::size_t a, std::size_t b) const { return cells[a * columns + b]; }
};

// Which cells are worth solving: all between dense models; where layers hold several
// blocks those that the screen does not rule out and that are the best of their row or
// column, or have one number in these layers, or lie between other layers.
std::vector<bool> worth_solving(const std::vector<NeuronViews>& subject,
                                const std::vector<NeuronViews>& base, unsigned threads) {
  const std::size_t columns = base.size();
  std::vector<bool> chosen(subject.size() * columns, true);
  const auto is_dense = [](const NeuronViews& views) {
    return views.place.kind == FfnPlace::Kind::dense;
  };
  if (std::ranges::all_of(subject, is_dense) && std::ranges::all_of(base, is_dense)) return chosen;
  const auto mine = all_ready(subject, threads, ready_to_screen);
  const auto theirs = all_ready(base, threads, ready_to_screen);
  std::vector<std::size_t> counts(chosen.size());
  const auto failed =
      parallel_for(counts.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        const NeuronViews& one = subject[i / columns];
        if (cannot_agree(one, base[i % columns])) return std::nullopt;
        counts[i] = nearest_agreement(mine[i / columns], theirs[i % columns], one.gated);
        return std::nullopt;
      });
  check(!failed, "screening cells cannot fail");
  std::vector<std::size_t> best_in_row(subject.size());
  std::vector<std::size_t> best_in_column(columns);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t a = i / columns;
    const std::size_t b = i % columns;
    if (counts[i] > counts[a * columns + best_in_row[a]]) best_in_row[a] = b;
    if (counts[i] > counts[best_in_column[b] * columns + b]) best_in_column[b] = a;
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t a = i / columns;
    const std::size_t b = i % columns;
    const bool is_best = best_in_row[a] == b || best_in_column[b] == a;
    const bool own_number = subject[a].place.expert == base[b].place.expert &&
                            base[b].place.layer == base[best_in_row[a]].place.layer;
    const bool elsewhere = base[b].place.layer != base[best_in_row[a]].place.layer;
    chosen[i] = is_best || own_number || (elsewhere && counts[i] >= screened_agreement);
  }
  return chosen;
}

AgreementTable agreements(const std::vector<NeuronViews>& subject,
                          const std::vector<NeuronViews>& base, unsigned threads) {
  AgreementTable table{.columns = base.size()};
  table.cells.resize(subject.size() * base.size());
  const std::vector<bool> solved = worth_solving(subject, base, threads);
  const auto mine = all_ready(subject, threads, made_ready);
  const auto theirs = all_ready(base, threads, made_ready);
  const auto failed =
      parallel_for(table.cells.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        const std::size_t a = i / base.size();
        const std::size_t b = i % base.size();
        if (solved[i]) table.cells[i] = agreeing(subject[a], mine[a], base[b], theirs[b]);
        return std::nullopt;
      });
  check(!failed, "matching neurons cannot fail");
  return table;
}

// An expert of the same number is as good as another that agrees little more: copies
// of one block all agree.
std::size_t preferred(const std::vector<NeuronViews>& subject, const std::vector<NeuronViews>& base,
                      const AgreementTable& table, std::size_t a, std::size_t best) {
  for (std::size_t b = 0; b < base.size(); ++b) {
    const bool own = base[b].place.layer == base[best].place.layer &&
                     base[b].place.kind == subject[a].place.kind &&
                     base[b].place.expert == subject[a].place.expert;
    if (own && 10 * table.at(a, b).size() >= 9 * table.at(a, best).size()) return b;
  }
  return best;
}

std::vector<std::size_t> best_columns(const AgreementTable& table, std::size_t rows) {
  std::vector<std::size_t> best(rows, 0);
  for (std::size_t a = 0; a < rows; ++a) {
    for (std::size_t b = 1; b < table.columns; ++b) {
      if (table.at(a, b).size() > table.at(a, best[a]).size()) best[a] = b;
    }
  }
  return best;
}

std::vector<std::size_t> best_rows(const AgreementTable& table, std::size_t rows) {
  std::vector<std::size_t> best(table.columns, 0);
  for (std::size_t b = 0; b < table.columns; ++b) {
    for (std::size_t a = 1; a < rows; ++a) {
      if (table.at(a, b).size() > table.at(best[b], b).size()) best[b] = a;
    }
  }
  return best;
}

std::size_t layers_in(const std::vector<NeuronViews>& views) {
  std::set<int> layers;
  for (const NeuronViews& each : views) layers.insert(each.place.layer);
  return layers.size();
}

// The best passing block pair of every subject layer.
void map_layers(TwoView& result) {
  std::vector<const BlockAgreement*> chosen;
  for (const BlockAgreement& block : result.blocks) {
    if (chosen.empty() || chosen.back()->subject.layer != block.subject.layer) {
      chosen.push_back(&block);
    } else if (block.neurons.size() > chosen.back()->neurons.size()) {
      chosen.back() = &block;
    }
  }
  for (const BlockAgreement* block : chosen) {
    const std::size_t agreeing = block->neurons.size();
    result.smallest = result.map.empty() ? agreeing : std::min(result.smallest, agreeing);
    result.map.emplace_back(block->subject.layer, block->base.layer);
    result.neurons.push_back(block->neurons);
  }
}

double log10_maps_of(const std::vector<NeuronViews>& subject,
                     const std::vector<NeuronViews>& base) {
  std::map<int, std::size_t> blocks;
  for (const NeuronViews& each : subject) ++blocks[each.place.layer];
  double total = 0;
  for (const auto& [layer, count] : blocks) {
    total += std::log10(1 + static_cast<double>(count * base.size()));
  }
  return total;
}

bool alike(const NeuronViews& one, const NeuronViews& other) {
  const std::size_t fewer = std::min(one.neurons.size(), other.neurons.size());
  return 2 * agreeing_neurons(one, other).size() >= fewer;
}

using Candidates = std::set<std::pair<std::size_t, std::size_t>>;

// Best partners of both sides' blocks; counts what lies off them in `result`.
Candidates candidates_in(const std::vector<NeuronViews>& subject,
                         const std::vector<NeuronViews>& base, const AgreementTable& table,
                         const std::function<bool(int side, int i, int j)>& duplicates,
                         TwoView& result) {
  auto best = best_columns(table, subject.size());
  for (std::size_t a = 0; a < best.size(); ++a) {
    best[a] = preferred(subject, base, table, a, best[a]);
  }
  Candidates candidates;
  for (std::size_t a = 0; a < subject.size(); ++a) {
    const int chosen_layer = base[best[a]].place.layer;
    candidates.emplace(a, best[a]);
    for (std::size_t b = 0; b < base.size(); ++b) {
      const int layer = base[b].place.layer;
      if (layer == chosen_layer || duplicates(1, layer, chosen_layer)) continue;
      // Copies of one layer that were re-dealt apart are told by what their neurons do.
      if (table.at(a, b).size() >= fewest_agreeing && alike(base[b], base[best[a]])) {
        result.base_repeats = true;
        continue;
      }
      result.control = std::max(result.control, table.at(a, b).size());
      ++result.control_cells;
    }
  }
  // A dense block may stand against several experts.
  const auto best_subjects = best_rows(table, subject.size());
  for (std::size_t b = 0; b < base.size(); ++b) {
    const std::size_t a = best_subjects[b];
    if (base[b].place.layer == base[best[a]].place.layer) candidates.emplace(a, b);
  }
  return candidates;
}

}  // namespace

NeuronPairs agreeing_neurons(const NeuronViews& subject, const NeuronViews& base) {
  return agreeing(subject, made_ready(subject), base, made_ready(base));
}

bool leaves_doubt(const TwoView& seen) {
  return seen.largest >= 3 * std::max(recorded_independent_maximum, seen.control);
}

TwoView two_view(const std::vector<NeuronViews>& subject, const std::vector<NeuronViews>& base,
                 const std::function<bool(int side, int i, int j)>& duplicates, unsigned threads) {
  TwoView result;
  if (subject.empty() || base.empty()) return result;
  const AgreementTable table = agreements(subject, base, threads);
  for (const auto& [a, b] : candidates_in(subject, base, table, duplicates, result)) {
    const std::size_t neurons = std::min(subject[a].neurons.size(), base[b].neurons.size());
    result.looked_at = std::max(result.looked_at, neurons);
    const std::size_t needed = std::max({fewest_agreeing, (neurons + 19) / 20, 5 * result.control,
                                         5 * recorded_independent_maximum});
    result.needed = std::max(result.needed, needed);
    result.largest = std::max(result.largest, table.at(a, b).size());
    if (result.control_cells == 0 || table.at(a, b).size() < needed) continue;
    result.blocks.push_back({.subject = subject[a].place,
                             .base = base[b].place,
                             .neurons = table.at(a, b),
                             .looked_at = neurons,
                             .in_part = subject[a].is_in_part() || base[b].is_in_part()});
  }
  map_layers(result);
  result.log10_maps = log10_maps_of(subject, base);
  result.mapped = std::min(layers_in(subject), layers_in(base));
  result.decides = result.mapped > 0 && 2 * result.map.size() >= result.mapped;
  return result;
}

}  // namespace pedigree
