#include "compare/net_power.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "compare/assignment.h"
#include "compare/net_redealing.h"
#include "compare/net_refit.h"

namespace pedigree {
namespace {

constexpr int repeats = 4;
constexpr int steps = 19;           // 0.05 … 0.95
constexpr double most_work = 6e10;  // of all searches
constexpr double sure = 3.09;       // of 999 in 1000, by the normal law

using Values = std::vector<float>;

std::vector<double> lengths_of(const WiredKernel& kernel, const Values& values) {
  std::vector<double> lengths(kernel.outputs);
  for (std::size_t o = 0; o < kernel.outputs; ++o) {
    double squares = 0;
    for (std::size_t i = 0; i < kernel.inputs; ++i) {
      for (std::size_t t = 0; t < kernel.taps; ++t) {
        const auto value = static_cast<double>(values[kernel.place(o, i, t)]);
        squares += value * value;
      }
    }
    lengths[o] = std::sqrt(squares);
  }
  return lengths;
}

// Each row is cos · (the base's, re-dealt) + sin · (one of the subject's).
Values mixed(const WiredKernel& kernel, const Values& copy, double cosine, std::uint64_t seed) {
  const double sine = std::sqrt(1 - cosine * cosine);
  const Values& own = kernel.pair->mine;
  const auto order = seeded_permutation(kernel.outputs, seed);
  const auto copied = lengths_of(kernel, copy);
  const auto owned = lengths_of(kernel, own);
  Values values(copy.size());
  for (std::size_t o = 0; o < kernel.outputs; ++o) {
    if (copied[o] <= 0 || owned[order[o]] <= 0) continue;
    for (std::size_t i = 0; i < kernel.inputs; ++i) {
      for (std::size_t t = 0; t < kernel.taps; ++t) {
        const auto theirs = static_cast<double>(copy[kernel.place(o, i, t)]);
        const auto mine = static_cast<double>(own[kernel.place(order[o], i, t)]);
        // As long as the base's, since channels weigh unlike in what reads them.
        values[kernel.place(o, i, t)] =
            static_cast<float>(cosine * theirs + sine * mine * copied[o] / owned[order[o]]);
      }
    }
  }
  return values;
}

class Plant {
 public:
  Plant(const Wiring& wiring, double cosine, std::uint64_t seed) : wiring_(wiring) {
    std::vector<AxisMap> maps;
    maps.reserve(wiring.kernels.size());
    pairs_.reserve(wiring.kernels.size());
    for (std::size_t k = 0; k < wiring.kernels.size(); ++k) {
      const WiredKernel& kernel = wiring.kernels[k];
      maps.push_back(as_stored(kernel.outputs));
      if (!kernel.is_head) maps.back().partner = seeded_permutation(kernel.outputs, seed + k);
      const bool reads = !kernel.is_input && !kernel.producers.empty();
      const AxisMap inputs = reads
                                 ? spread_over(maps[kernel.producers.front()], kernel.inputs, false)
                                 : as_stored(kernel.inputs);
      pairs_.push_back({.shape = kernel.pair->shape, .theirs = kernel.pair->theirs});
      pairs_.back().mine = mixed(kernel, dealt(kernel, maps.back(), inputs), cosine, seed ^ k);
    }
    for (std::size_t k = 0; k < wiring_.kernels.size(); ++k) wiring_.kernels[k].pair = &pairs_[k];
  }

  std::optional<Redealing> searched(unsigned threads) const {
    return find_redealing(wiring_, false, threads);
  }

 private:
  std::vector<NetPair> pairs_ = {};
  Wiring wiring_;
};

// What is left of each numbering's agreement in the worst of a thousand.
Redealing worst_of(const std::vector<Redealing>& runs) {
  Redealing worst = runs.front();
  for (std::size_t a = 0; a < worst.agreements.size(); ++a) {
    double sum = 0;
    double squares = 0;
    for (const Redealing& run : runs) {
      const auto count = static_cast<double>(run.agreements[a].agreeing);
      sum += count;
      squares += count * count;
      worst.agreements[a].cosine = std::min(worst.agreements[a].cosine, run.agreements[a].cosine);
    }
    const auto units = static_cast<double>(worst.agreements[a].units);
    const double mean = sum / repeats;
    const double variance =
        std::max(0.0, squares / repeats - mean * mean) * repeats / (repeats - 1);
    // Never less than a binomial spread: a handful of repeats can agree by accident.
    const double spread = std::sqrt(std::max(variance, mean * (1 - mean / units)));
    worst.agreements[a].agreeing =
        static_cast<std::size_t>(std::max(0.0, std::floor(mean - sure * spread)));
  }
  return worst;
}

bool would_show(const Wiring& wiring, double cosine, double threshold, unsigned threads) {
  std::vector<Redealing> runs;
  runs.reserve(repeats);
  for (int repeat = 0; repeat < repeats; ++repeat) {
    auto run =
        Plant(wiring, cosine, static_cast<std::uint64_t>(repeat + 1) << 32U).searched(threads);
    if (!run || !are_redealt_copies(*run)) return false;
    runs.push_back(*std::move(run));
  }
  const Redealing worst = worst_of(runs);
  return are_redealt_copies(worst) && worst.log10_chance() <= threshold;
}

}  // namespace

std::optional<double> redealing_power(const Wiring& wiring, double log10_threshold,
                                      unsigned threads) {
  if (redealing_work(wiring) * repeats * 5 > most_work) return std::nullopt;
  int low = 0;
  int high = steps + 1;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (would_show(wiring, 0.05 * middle, log10_threshold, threads) ? high : low) = middle;
  }
  if (high > steps) return std::nullopt;
  return 0.05 * high;
}

}  // namespace pedigree
