#include "compare/net_refit.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "compare/net_kernels.h"

namespace pedigree {
namespace {

constexpr std::uint64_t refining_seed = 0x6E65747265666974ULL;
constexpr int sweeps = 2;
constexpr int fitting_steps = 30;
constexpr double rounding = 2e-3;      // of half precision, several factors in one another
constexpr double least_factor = 1e-3;  // away from one
constexpr std::size_t values_a_factor = 3;

using Values = std::vector<float>;

// The order of a kernel's inputs that its producer's channels give.
AxisMap inputs_of(const Wiring& wiring, const Redealing& seen, const std::vector<AxisMap>& maps,
                  std::size_t k) {
  const WiredKernel& kernel = wiring.kernels[k];
  const ChannelMap& map = seen.maps[k];
  if (kernel.is_input || !map.producer || maps[*map.producer].partner.empty()) {
    return as_stored(kernel.inputs);
  }
  return spread_over(maps[*map.producer], kernel.inputs, map.channels_last);
}

AxisMap outputs_of(const Wiring& wiring, const std::vector<AxisMap>& maps, std::size_t k) {
  const WiredKernel& kernel = wiring.kernels[k];
  return kernel.is_head || maps[k].partner.empty() ? as_stored(kernel.outputs) : maps[k];
}

double relative_distance(const Values& mine, const Values& theirs) {
  double apart = 0;
  double size = 0;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const double delta = static_cast<double>(mine[i]) - static_cast<double>(theirs[i]);
    apart += delta * delta;
    size += static_cast<double>(mine[i]) * static_cast<double>(mine[i]);
  }
  return size == 0 ? 0 : std::sqrt(apart / size);
}

// One factor for each output and each input, by alternating least squares.
class ScaleFit {
 public:
  ScaleFit(const WiredKernel& kernel, const Values& theirs)
      : kernel_(kernel), theirs_(theirs), outputs_(kernel.outputs, 1), inputs_(kernel.inputs, 1) {}

  Values fitted() {
    for (int step = 0; step < fitting_steps; ++step) {
      fit(true);
      fit(false);
    }
    Values values(theirs_.size());
    each([&](std::size_t o, std::size_t i, std::size_t at) {
      values[at] = static_cast<float>(outputs_[o] * inputs_[i] * static_cast<double>(theirs_[at]));
    });
    return values;
  }

  std::size_t factors() const { return outputs_.size() + inputs_.size(); }

 private:
  template <class Visit>
  void each(Visit visit) const {
    for (std::size_t o = 0; o < kernel_.outputs; ++o) {
      for (std::size_t i = 0; i < kernel_.inputs; ++i) {
        for (std::size_t t = 0; t < kernel_.taps; ++t) visit(o, i, kernel_.place(o, i, t));
      }
    }
  }

  void fit(bool of_outputs) {
    std::vector<double>& wanted = of_outputs ? outputs_ : inputs_;
    const std::vector<double>& given = of_outputs ? inputs_ : outputs_;
    std::vector<double> products(wanted.size());
    std::vector<double> squares(wanted.size());
    each([&](std::size_t o, std::size_t i, std::size_t at) {
      const std::size_t unit = of_outputs ? o : i;
      const double theirs = given[of_outputs ? i : o] * static_cast<double>(theirs_[at]);
      products[unit] += theirs * static_cast<double>(kernel_.pair->mine[at]);
      squares[unit] += theirs * theirs;
    });
    for (std::size_t u = 0; u < wanted.size(); ++u) {
      if (squares[u] > 0) wanted[u] = products[u] / squares[u];
    }
  }

  const WiredKernel& kernel_;
  const Values& theirs_;
  std::vector<double> outputs_;
  std::vector<double> inputs_;
};

class Orderer {
 public:
  Orderer(const NetPairs& pairs, const Wiring& wiring, const Redealing& seen,
          const std::vector<AxisMap>& maps)
      : pairs_(pairs), wiring_(wiring), seen_(seen), maps_(maps) {}

  Refit put() {
    refit_.all_kernels = true;
    for (const NetPair& pair : pairs_.pairs) refit_.theirs.push_back(pair.theirs);
    for (std::size_t k = 0; k < wiring_.kernels.size(); ++k) {
      count_moved(k);
      deal_kernel(k);
    }
    for (std::size_t i = 0; i < pairs_.pairs.size(); ++i) {
      const NetPair& pair = pairs_.pairs[i];
      if (pair.shape.size() == 1) deal_vector(i);
      const bool equal = refit_.theirs[i] == pair.mine;
      refit_.equal += equal ? 1U : 0U;
      refit_.vectors_apart += pair.shape.size() == 1 && !equal ? 1U : 0U;
    }
    return std::move(refit_);
  }

 private:
  void count_moved(std::size_t k) {
    const AxisMap& map = maps_[k];
    for (std::size_t i = 0; i < map.partner.size(); ++i) {
      refit_.moved += map.partner[i] != i ? 1U : 0U;
      refit_.turned += map.sign[i] < 0 ? 1U : 0U;
    }
  }

  // An axis may have kept its order, or a kernel's rows been matched in a wrong order of inputs.
  Values nearest(std::size_t k) const {
    const WiredKernel& kernel = wiring_.kernels[k];
    std::vector<AxisMap> outputs{outputs_of(wiring_, maps_, k)};
    if (const auto& backward = seen_.maps[k].backward) outputs.push_back(*backward);
    outputs.push_back(as_stored(kernel.outputs));
    Values best;
    double least = 0;
    for (const AxisMap& out : outputs) {
      for (const AxisMap& in : {inputs_of(wiring_, seen_, maps_, k), as_stored(kernel.inputs)}) {
        Values values = dealt(kernel, out, in);
        const double distance = relative_distance(kernel.pair->mine, values);
        if (!best.empty() && distance >= least) continue;
        least = distance;
        best = std::move(values);
        if (least <= rounding) return best;
      }
    }
    return best;
  }

  void deal_kernel(std::size_t k) {
    const WiredKernel& kernel = wiring_.kernels[k];
    Values values = nearest(k);
    bool like = relative_distance(kernel.pair->mine, values) <= rounding;
    if (!like) {
      ScaleFit fit(kernel, values);
      Values fitted = fit.fitted();
      like = values.size() >= values_a_factor * fit.factors() &&
             relative_distance(kernel.pair->mine, fitted) <= rounding;
      if (like) {
        refit_.scaled = refit_.scaled || relative_distance(values, fitted) > least_factor;
        values = std::move(fitted);
      }
    }
    refit_.like_kernels += like ? 1U : 0U;
    refit_.like_values += like ? values.size() : 0U;
    refit_.all_kernels = refit_.all_kernels && like;
    refit_.theirs[static_cast<std::size_t>(kernel.pair - pairs_.pairs.data())] = std::move(values);
  }

  // A vector goes with the channels in whose order it is most like the subject's.
  void deal_vector(std::size_t place) {
    const NetPair& pair = pairs_.pairs[place];
    Values& best = refit_.theirs[place];
    double least = relative_distance(pair.mine, best);
    for (const AxisMap& map : maps_) {
      if (map.partner.size() != pair.mine.size()) continue;
      for (const bool turned : {false, true}) {
        Values values(pair.mine.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
          const float sign = turned ? static_cast<float>(map.sign[i]) : 1.0F;
          values[i] = sign * pair.theirs[map.partner[i]];
        }
        const double distance = relative_distance(pair.mine, values);
        if (distance >= least) continue;
        least = distance;
        best = std::move(values);
      }
    }
  }

  const NetPairs& pairs_;
  const Wiring& wiring_;
  const Redealing& seen_;
  const std::vector<AxisMap>& maps_;
  Refit refit_;
};

}  // namespace

std::vector<float> dealt(const WiredKernel& kernel, const AxisMap& outputs, const AxisMap& inputs) {
  Values values(kernel.pair->theirs.size());
  for (std::size_t o = 0; o < kernel.outputs; ++o) {
    for (std::size_t i = 0; i < kernel.inputs; ++i) {
      const auto sign = static_cast<float>(outputs.sign[o] * inputs.sign[i]);
      for (std::size_t t = 0; t < kernel.taps; ++t) {
        values[kernel.place(o, i, t)] =
            sign * kernel.pair->theirs[kernel.place(outputs.partner[o], inputs.partner[i], t)];
      }
    }
  }
  return values;
}

std::vector<AxisMap> refined(const Wiring& wiring, const Redealing& seen, bool up_to_sign,
                             unsigned threads) {
  std::vector<AxisMap> maps(wiring.kernels.size());
  for (std::size_t k = 0; k < maps.size(); ++k) {
    const ChannelMap& map = seen.maps[k];
    if (wiring.kernels[k].is_head) continue;
    if (map.forward) {
      maps[k] = *map.forward;
    } else if (map.backward) {
      maps[k] = *map.backward;
    }
  }
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    for (std::size_t k = 0; k < maps.size(); ++k) {
      if (maps[k].partner.empty()) continue;
      const WiredKernel& kernel = wiring.kernels[k];
      std::vector<View> views;
      views.push_back(
          {.subject = rows_of(kernel, kernel.pair->mine, as_stored(kernel.inputs)),
           .base = rows_of(kernel, kernel.pair->theirs, inputs_of(wiring, seen, maps, k))});
      for (std::size_t r = 0; r < maps.size(); ++r) {
        const WiredKernel& reader = wiring.kernels[r];
        if (seen.maps[r].producer != k) continue;
        const Channels way{.count = kernel.outputs, .last = seen.maps[r].channels_last};
        views.push_back(
            {.subject = columns_of(reader, reader.pair->mine, as_stored(reader.outputs), way),
             .base = columns_of(reader, reader.pair->theirs, outputs_of(wiring, maps, r), way)});
      }
      maps[k] = matched(std::move(views), up_to_sign, refining_seed + k, threads);
    }
  }
  return maps;
}

Refit put_in_order(const NetPairs& pairs, const Wiring& wiring, const Redealing& seen,
                   const std::vector<AxisMap>& maps) {
  return Orderer(pairs, wiring, seen, maps).put();
}

}  // namespace pedigree
