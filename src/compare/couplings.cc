#include "compare/couplings.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/parallel.h"
#include "compare/dense.h"

namespace pedigree {
namespace {

constexpr std::size_t most_anchors = 256;
constexpr double weakest = 1e-12;  // logs of less would be rounding
constexpr std::uint64_t matching_seed = 0x636F75706C65ULL;

using Places = std::vector<std::pair<std::size_t, std::size_t>>;

// Places of the probes both have.
Places common_probes(const CoupledNeurons& subject, const CoupledNeurons& base) {
  Places common;
  for (std::size_t i = 0; i < subject.probes.size(); ++i) {
    const auto at = std::ranges::lower_bound(base.probes, subject.probes[i]);
    if (at == base.probes.end() || *at != subject.probes[i]) continue;
    common.emplace_back(i, static_cast<std::size_t>(at - base.probes.begin()));
  }
  return common;
}

// Logs of one side's strengths by column, each less its mean over the neurons.
Matrix centred_columns(const Matrix& strengths, const Places& probes, bool of_subject) {
  Matrix part(strengths.rows, probes.size());
  for (std::size_t j = 0; j < probes.size(); ++j) {
    const std::size_t from = of_subject ? probes[j].first : probes[j].second;
    double mean = 0;
    for (std::size_t i = 0; i < strengths.rows; ++i) {
      part.at(i, j) = std::log(std::max(weakest, strengths.at(i, from)));
      mean += part.at(i, j);
    }
    mean /= static_cast<double>(strengths.rows);
    for (std::size_t i = 0; i < strengths.rows; ++i) part.at(i, j) -= mean;
  }
  return part;
}

struct Profiles {  // of both sides on common probes, prepared
  PreparedRows subject = {};
  PreparedRows base = {};
};

Profiles profiles(const Matrix& subject, const Matrix& base, const Places& probes) {
  return {.subject = prepared(centred_columns(subject, probes, true)),
          .base = prepared(centred_columns(base, probes, false))};
}

PreparedView view_of(const Profiles& both) {
  return {.subject = &both.subject, .base = &both.base};
}

std::vector<Proposal> best_pairs(std::span<const PreparedView> views) {
  const Matrix likeness = similarity(views);
  const bool turned = likeness.rows > likeness.cols;
  const auto partners = best_assignment(turned ? transposed(likeness) : likeness, matching_seed);
  std::vector<Proposal> pairs;
  pairs.reserve(partners.size());
  for (std::size_t i = 0; i < partners.size(); ++i) {
    Proposal pair{.subject = turned ? partners[i] : i, .base = turned ? i : partners[i]};
    pair.cosine = likeness.at(pair.subject, pair.base) / static_cast<double>(views.size());
    pairs.push_back(pair);
  }
  return pairs;
}

bool cannot_correspond(const CoupledNeurons& subject, const CoupledNeurons& base) {
  const bool by_rows = subject.first.rows > 0 && base.first.rows > 0;
  return subject.neurons.empty() || base.neurons.empty() || subject.gated != base.gated ||
         (by_rows && subject.first.cols != base.first.cols);
}

// Neurons that first and second strengths give the same partner.
std::size_t agreement(const CoupledNeurons& subject, const CoupledNeurons& base) {
  const Places probes = common_probes(subject, base);
  if (cannot_correspond(subject, base) || probes.size() < fewest_probes) return 0;
  const Profiles first = profiles(subject.first_strengths, base.first_strengths, probes);
  const Profiles second = profiles(subject.second_strengths, base.second_strengths, probes);
  const PreparedView by_first = view_of(first);
  const PreparedView by_second = view_of(second);
  const auto one = best_pairs({&by_first, 1});
  const auto other = best_pairs({&by_second, 1});
  std::size_t agreeing = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    agreeing += one[i].subject == other[i].subject && one[i].base == other[i].base ? 1U : 0U;
  }
  return agreeing;
}

// By place of the subject's layers: the place of the base's layer, where there is one.
std::vector<std::optional<std::size_t>> counterparts(const std::vector<CoupledNeurons>& subject,
                                                     const std::vector<CoupledNeurons>& base,
                                                     bool same_depth, unsigned threads) {
  std::vector<std::optional<std::size_t>> partner(subject.size());
  const auto failed =
      parallel_for(subject.size(), threads, {}, [&](std::size_t a) -> std::optional<Problem> {
        if (same_depth) {
          const auto at = std::ranges::find(base, subject[a].layer, &CoupledNeurons::layer);
          if (at != base.end()) partner[a] = static_cast<std::size_t>(at - base.begin());
          return std::nullopt;
        }
        std::size_t most = 0;
        for (std::size_t b = 0; b < base.size(); ++b) {
          const std::size_t agreeing = agreement(subject[a], base[b]);
          if (agreeing <= most) continue;
          most = agreeing;
          partner[a] = b;
        }
        return std::nullopt;
      });
  check(!failed, "finding counterparts cannot fail");
  return partner;
}

struct Anchored {
  std::size_t subject_layer = 0;  // places
  std::size_t base_layer = 0;
  Proposal pair = {};
};

Anchors anchors_from(std::span<const Anchored> chosen) {
  Anchors anchors;
  for (const Anchored& each : chosen) {
    anchors.subject.push_back({.layer = each.subject_layer, .neuron = each.pair.subject});
    anchors.base.push_back({.layer = each.base_layer, .neuron = each.pair.base});
  }
  return anchors;
}

class Halves {
 public:
  Halves(const CoupledSide& subject, const CoupledSide& base,
         const std::function<bool(int side, int i, int j)>& duplicates, unsigned threads)
      : subject_side_(subject), base_side_(base), duplicates_(duplicates), threads_(threads) {}

  Couplings run(bool same_depth) {
    propose(counterparts(subject_, base_, same_depth, threads_));
    std::vector<TwoView> halves;
    for (const std::size_t half : {std::size_t{0}, std::size_t{1}}) {
      const Anchors anchors = anchors_in(half);
      const std::size_t count = anchors.subject.size();
      result_.anchors = half == 0 ? count : std::min(result_.anchors, count);
      if (count < fewest_shared) return std::move(result_);
      halves.push_back(judged(1 - half, anchors));
    }
    result_.applicable = true;
    for (TwoView& half : halves) add(std::move(half));
    sort_layers();
    TwoView& seen = result_.seen;
    seen.decides = seen.mapped > 0 && 2 * seen.map.size() >= seen.mapped;
    return std::move(result_);
  }

 private:
  void propose(const std::vector<std::optional<std::size_t>>& partner) {
    proposals_.resize(subject_.size());
    std::vector<std::size_t> probes(subject_.size());
    const auto failed =
        parallel_for(subject_.size(), threads_, {}, [&](std::size_t a) -> std::optional<Problem> {
          if (!partner[a]) return std::nullopt;
          const CoupledNeurons& other = base_[*partner[a]];
          probes[a] = common_probes(subject_[a], other).size();
          for (const Proposal& pair : proposed_partners(subject_[a], other)) {
            proposals_[a].push_back({.subject_layer = a, .base_layer = *partner[a], .pair = pair});
          }
          return std::nullopt;
        });
    check(!failed, "proposing partners cannot fail");
    if (!probes.empty()) result_.probes = *std::ranges::min_element(probes);
  }

  // The surest of the layers at even (0) or odd (1) places.
  Anchors anchors_in(std::size_t half) const {
    std::vector<Anchored> chosen;
    for (std::size_t a = half; a < proposals_.size(); a += 2) {
      chosen.insert(chosen.end(), proposals_[a].begin(), proposals_[a].end());
    }
    std::ranges::stable_sort(chosen, std::greater{},
                             [](const Anchored& each) { return each.pair.cosine; });
    if (chosen.size() > most_anchors) chosen.resize(most_anchors);
    return anchors_from(chosen);
  }

  TwoView judged(std::size_t half, const Anchors& anchors) const {
    std::vector<std::size_t> places;
    for (std::size_t a = half; a < subject_.size(); a += 2) places.push_back(a);
    const auto mine = anchored_views(subject_side_, places, anchors.subject, threads_);
    const auto theirs =
        anchored_views(base_side_, first_indices(base_.size()), anchors.base, threads_);
    return two_view(mine, theirs, duplicates_, threads_);
  }

  void add(TwoView half) {
    TwoView& seen = result_.seen;
    if (!half.map.empty()) {
      seen.smallest = seen.map.empty() ? half.smallest : std::min(seen.smallest, half.smallest);
    }
    seen.map.insert(seen.map.end(), half.map.begin(), half.map.end());
    std::ranges::move(half.neurons, std::back_inserter(seen.neurons));
    std::ranges::move(half.blocks, std::back_inserter(seen.blocks));
    seen.mapped += half.mapped;
    seen.control = std::max(seen.control, half.control);
    seen.control_cells += half.control_cells;
    seen.needed = std::max(seen.needed, half.needed);
    seen.largest = std::max(seen.largest, half.largest);
    seen.looked_at = std::max(seen.looked_at, half.looked_at);
    seen.log10_maps += half.log10_maps;
  }

  void sort_layers() {
    TwoView& seen = result_.seen;
    std::vector<std::size_t> order = first_indices(seen.map.size());
    std::ranges::sort(order, {}, [&](std::size_t i) { return seen.map[i]; });
    LayerMap map;
    std::vector<NeuronPairs> neurons;
    for (const std::size_t i : order) {
      map.push_back(seen.map[i]);
      neurons.push_back(std::move(seen.neurons[i]));
    }
    seen.map = std::move(map);
    seen.neurons = std::move(neurons);
    std::ranges::sort(seen.blocks, {}, [](const BlockAgreement& block) {
      return std::pair(block.subject, block.base);
    });
  }

  const CoupledSide& subject_side_;
  const CoupledSide& base_side_;
  const std::vector<CoupledNeurons>& subject_ = subject_side_.layers;
  const std::vector<CoupledNeurons>& base_ = base_side_.layers;
  const std::function<bool(int side, int i, int j)>& duplicates_;
  unsigned threads_;
  std::vector<std::vector<Anchored>> proposals_;
  Couplings result_;
};

}  // namespace

std::vector<Proposal> proposed_partners(const CoupledNeurons& subject, const CoupledNeurons& base) {
  const Places probes = common_probes(subject, base);
  if (cannot_correspond(subject, base) || probes.size() < fewest_probes) return {};
  const Profiles first = profiles(subject.first_strengths, base.first_strengths, probes);
  const Profiles second = profiles(subject.second_strengths, base.second_strengths, probes);
  const std::array views = {view_of(first), view_of(second)};
  return best_pairs(views);
}

Couplings couplings(const CoupledSide& subject, const CoupledSide& base, bool same_depth,
                    const std::function<bool(int side, int i, int j)>& duplicates,
                    unsigned threads) {
  return Halves(subject, base, duplicates, threads).run(same_depth);
}

Anchors anchors_of(const TwoView& seen, const CoupledSide& subject, const CoupledSide& base) {
  std::vector<Anchored> chosen;
  for (std::size_t place = 0; place < seen.map.size(); ++place) {
    const auto mine =
        std::ranges::find(subject.layers, seen.map[place].first, &CoupledNeurons::layer);
    const auto theirs =
        std::ranges::find(base.layers, seen.map[place].second, &CoupledNeurons::layer);
    const NeuronPairs& pairs = seen.neurons[place];
    for (const std::size_t i :
         spread_places(pairs.size(), std::max<std::size_t>(1, most_anchors / seen.map.size()))) {
      const auto at = [](const std::vector<std::uint64_t>& neurons, std::uint64_t neuron) {
        return static_cast<std::size_t>(std::ranges::lower_bound(neurons, neuron) -
                                        neurons.begin());
      };
      chosen.push_back({.subject_layer = static_cast<std::size_t>(mine - subject.layers.begin()),
                        .base_layer = static_cast<std::size_t>(theirs - base.layers.begin()),
                        .pair = {.subject = at(mine->neurons, pairs[i].first),
                                 .base = at(theirs->neurons, pairs[i].second)}});
    }
  }
  return anchors_from(chosen);
}

}  // namespace pedigree
