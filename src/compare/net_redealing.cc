#include "compare/net_redealing.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "compare/bounds.h"
#include "compare/dense.h"
#include "compare/witness.h"

namespace pedigree {
namespace {

constexpr std::size_t most_features = 1024;
constexpr double most_work = 4e10;  // multiplications: about a minute
constexpr std::uint64_t forward_seed = 0x6E6574666F7277ULL;
constexpr std::uint64_t backward_seed = 0x6E65746261636BULL;

// Decision 19: unrelated nets agreed on at most a third of one numbering.
constexpr std::size_t fewest_agreeing = 12;
constexpr std::size_t fewest_agreeing_in_all = 40;
constexpr std::size_t fewest_numberings = 2;
constexpr double least_cosine = 0.7;
constexpr double most_of_unrelated = 0.4;

// Mean over the units of the evidence a correlation holds under normal noise.
double score_of(const std::vector<double>& cosines, std::size_t features) {
  constexpr double most = 0.9999;
  double sum = 0;
  for (const double cosine : cosines) {
    const double bounded = std::clamp(cosine, 0.0, most);
    sum -= std::log1p(-bounded * bounded);
  }
  return sum * static_cast<double>(features) / (2 * static_cast<double>(cosines.size()));
}

class Searcher {
 public:
  Searcher(const Wiring& wiring, bool up_to_sign, unsigned threads)
      : kernels_(wiring.kernels), up_to_sign_(up_to_sign), threads_(threads) {
    seen_.complete = wiring.complete;
    seen_.maps.resize(kernels_.size());
  }

  Redealing search() {
    for (std::size_t k = 0; k < kernels_.size(); ++k) go_forward(k);
    for (std::size_t k = kernels_.size(); k-- > 0;) go_back(k);
    for (std::size_t k = 0; k < kernels_.size(); ++k) {
      if (!kernels_[k].is_head) compare_ways(k);
    }
    return std::move(seen_);
  }

 private:
  static std::vector<bool> layouts(std::size_t inputs, std::size_t channels) {
    return inputs == channels ? std::vector{false} : std::vector{false, true};
  }

  void take_rows(std::size_t k, const AxisMap& inputs, std::optional<std::size_t> producer,
                 bool channels_last) {
    const WiredKernel& kernel = kernels_[k];
    ChannelMap& map = seen_.maps[k];
    std::vector<View> views;
    views.push_back({.subject = rows_of(kernel, kernel.pair->mine, as_stored(kernel.inputs)),
                     .base = rows_of(kernel, kernel.pair->theirs, inputs)});
    AxisMap found = matched(std::move(views), up_to_sign_, forward_seed + k, threads_);
    if (map.forward && map.forward->score >= found.score) return;
    map.forward = std::move(found);
    map.producer = producer;
    map.channels_last = channels_last;
  }

  void go_forward(std::size_t k) {
    const WiredKernel& kernel = kernels_[k];
    if (kernel.is_head) return;
    if (kernel.is_input) {
      take_rows(k, as_stored(kernel.inputs), std::nullopt, false);
      return;
    }
    std::uint64_t tried = 0;
    for (const std::size_t p : kernel.producers) {
      const std::optional<AxisMap>& channels = seen_.maps[p].forward;
      if (!channels) continue;
      for (const bool last : layouts(kernel.inputs, kernels_[p].outputs)) {
        ++tried;
        take_rows(k, spread_over(*channels, kernel.inputs, last), p, last);
      }
    }
    seen_.maps[k].tried *= std::max<std::uint64_t>(1, tried);
  }

  // By the columns of one kernel that may read these channels.
  void take_columns(std::size_t k, std::size_t r, const AxisMap& outputs, bool channels_last) {
    const WiredKernel& reader = kernels_[r];
    const Channels way{.count = kernels_[k].outputs, .last = channels_last};
    std::vector<View> views;
    views.push_back(
        {.subject = columns_of(reader, reader.pair->mine, as_stored(reader.outputs), way),
         .base = columns_of(reader, reader.pair->theirs, outputs, way)});
    AxisMap found = matched(std::move(views), up_to_sign_, backward_seed + k, threads_);
    ChannelMap& head = seen_.maps[r];
    if (reader.is_head && (!head.producer || found.score > head.producer_score)) {
      head.producer = k;
      head.producer_score = found.score;
      head.channels_last = channels_last;
    }
    ChannelMap& map = seen_.maps[k];
    if (!map.backward || found.score > map.backward->score) map.backward = std::move(found);
  }

  void go_back(std::size_t k) {
    if (kernels_[k].is_head) return;
    std::uint64_t tried = 0;
    for (const std::size_t r : kernels_[k].readers) {
      const std::optional<AxisMap> outputs =
          kernels_[r].is_head ? as_stored(kernels_[r].outputs) : seen_.maps[r].backward;
      if (!outputs) continue;
      for (const bool last : layouts(kernels_[r].inputs, kernels_[k].outputs)) {
        ++tried;
        take_columns(k, r, *outputs, last);
      }
    }
    seen_.maps[k].tried *= std::max<std::uint64_t>(1, tried);
  }

  void compare_ways(std::size_t k) {
    const ChannelMap& map = seen_.maps[k];
    if (!map.forward || !map.backward) {
      seen_.complete = false;
      return;
    }
    if (kernels_[k].outputs < fewest_units) return;
    ChannelAgreement agreement{.kernel = k,
                               .units = kernels_[k].outputs,
                               .cosine = std::min(map.forward->cosine, map.backward->cosine)};
    for (std::size_t i = 0; i < agreement.units; ++i) {
      const bool both = map.forward->sure[i] && map.backward->sure[i];
      agreement.agreeing += both && map.forward->partner[i] == map.backward->partner[i] ? 1U : 0U;
    }
    seen_.log10_tries += std::log10(static_cast<double>(map.tried));
    seen_.agreements.push_back(agreement);
  }

  const std::vector<WiredKernel>& kernels_;
  bool up_to_sign_ = false;
  unsigned threads_ = 0;
  Redealing seen_;
};

}  // namespace

Matrix rows_of(const WiredKernel& kernel, const std::vector<float>& values, const AxisMap& inputs) {
  const auto places = spread_places(kernel.inputs * kernel.taps, most_features);
  Matrix matrix(kernel.outputs, places.size());
  for (std::size_t o = 0; o < matrix.rows; ++o) {
    for (std::size_t f = 0; f < places.size(); ++f) {
      const std::size_t in = places[f] / kernel.taps;
      const std::size_t at = kernel.place(o, inputs.partner[in], places[f] % kernel.taps);
      matrix.at(o, f) = inputs.sign[in] * static_cast<double>(values[at]);
    }
  }
  return matrix;
}

Matrix columns_of(const WiredKernel& kernel, const std::vector<float>& values,
                  const AxisMap& outputs, const Channels& channels) {
  const std::size_t positions = kernel.inputs / channels.count;
  const std::size_t each = positions * kernel.taps;
  const auto places = spread_places(kernel.outputs * each, most_features);
  Matrix matrix(channels.count, places.size());
  for (std::size_t c = 0; c < matrix.rows; ++c) {
    for (std::size_t f = 0; f < places.size(); ++f) {
      const std::size_t o = places[f] / each;
      const std::size_t position = places[f] % each / kernel.taps;
      const std::size_t in =
          channels.last ? position * channels.count + c : c * positions + position;
      const std::size_t at = kernel.place(outputs.partner[o], in, places[f] % kernel.taps);
      matrix.at(c, f) = outputs.sign[o] * static_cast<double>(values[at]);
    }
  }
  return matrix;
}

AxisMap matched(std::vector<View> views, bool up_to_sign, std::uint64_t seed, unsigned threads) {
  Witness witness{.views = std::move(views)};
  std::size_t features = 0;
  for (const View& view : witness.views) features += view.subject.cols;
  std::vector<PreparedRows> owned;
  const auto ready = prepared_views(witness, owned);
  Matrix signed_cosines = similarity(ready, threads);
  for (double& value : signed_cosines.values) value /= static_cast<double>(ready.size());
  Matrix cosines = signed_cosines;
  if (up_to_sign) {
    for (double& value : cosines.values) value = std::abs(value);
  }
  AxisMap map{.partner = best_assignment(cosines, seed)};
  std::vector<double> found;
  found.reserve(map.partner.size());
  map.sign.reserve(map.partner.size());
  map.sure.reserve(map.partner.size());
  for (std::size_t i = 0; i < map.partner.size(); ++i) {
    const double own = cosines.at(i, map.partner[i]);
    const auto row = cosines.row(i);
    found.push_back(own);
    map.sign.push_back(signed_cosines.at(i, map.partner[i]) < 0 && up_to_sign ? -1.0 : 1.0);
    map.sure.push_back(own > 0 && std::ranges::count(row, own) == 1);
  }
  map.score = score_of(found, features);
  map.cosine = median(std::move(found));
  return map;
}

AxisMap as_stored(std::size_t size) {
  return {.partner = first_indices(size),
          .sign = std::vector<double>(size, 1),
          .sure = std::vector<bool>(size, true)};
}

AxisMap spread_over(const AxisMap& map, std::size_t size, bool channels_last) {
  const std::size_t channels = map.partner.size();
  const std::size_t positions = size / channels;
  AxisMap spread;
  spread.partner.reserve(size);
  spread.sign.reserve(size);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t channel = channels_last ? i % channels : i / positions;
    const std::size_t position = channels_last ? i / channels : i % positions;
    const std::size_t other = map.partner[channel];
    spread.partner.push_back(channels_last ? position * channels + other
                                           : other * positions + position);
    spread.sign.push_back(map.sign[channel]);
  }
  return spread;
}

std::size_t Redealing::agreeing() const {
  std::size_t sum = 0;
  for (const ChannelAgreement& each : agreements) sum += each.agreeing;
  return sum;
}

std::size_t Redealing::units() const {
  std::size_t sum = 0;
  for (const ChannelAgreement& each : agreements) sum += each.units;
  return sum;
}

double Redealing::largest_share() const {
  double largest = 0;
  for (const ChannelAgreement& each : agreements) {
    largest =
        std::max(largest, static_cast<double>(each.agreeing) / static_cast<double>(each.units));
  }
  return largest;
}

double Redealing::log10_chance() const {
  return std::min(0.0, log10_pooled_matches(agreeing(), agreements.size()) + log10_tries);
}

bool passes(const ChannelAgreement& agreement) {
  return agreement.agreeing >= fewest_agreeing && 4 * agreement.agreeing >= 3 * agreement.units &&
         agreement.cosine >= least_cosine;
}

bool are_redealt_copies(const Redealing& seen) {
  const auto passing = static_cast<std::size_t>(std::ranges::count_if(seen.agreements, passes));
  return passing >= fewest_numberings && 2 * passing >= seen.agreements.size() &&
         seen.agreeing() >= fewest_agreeing_in_all;
}

double redealing_work(const Wiring& wiring) {
  const auto solving = [](std::size_t units, std::size_t features) {
    const auto wide = static_cast<double>(std::min(features, most_features));
    const auto many = static_cast<double>(units);
    return many * many * (many + wide);
  };
  double work = 0;
  for (const WiredKernel& kernel : wiring.kernels) {
    if (kernel.is_head) continue;
    const auto tries = static_cast<double>(1 + kernel.producers.size());
    work += tries * solving(kernel.outputs, kernel.inputs * kernel.taps);
    for (const std::size_t reader : kernel.readers) {
      work += solving(kernel.outputs, wiring.kernels[reader].pair->mine.size());
    }
  }
  return work;
}

bool leaves_doubt(const Redealing& seen) { return seen.largest_share() > most_of_unrelated; }

std::optional<Redealing> find_redealing(const Wiring& wiring, bool up_to_sign, unsigned threads) {
  if (wiring.kernels.empty() || redealing_work(wiring) > most_work) return std::nullopt;
  return Searcher(wiring, up_to_sign, threads).search();
}

}  // namespace pedigree
