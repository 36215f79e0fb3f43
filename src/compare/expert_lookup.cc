#include "compare/expert_lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/parallel.h"
#include "compare/dense.h"
#include "compare/neuron_lookup.h"

namespace pedigree {
namespace {

constexpr std::uint64_t most_values = std::uint64_t{1} << 33U;
constexpr std::size_t fewest_layers = 4;

// One layer pair of whole models.
struct AskedLayer {
  std::vector<FfnPlace> many = {};  // blocks without an answer yet
  std::vector<FfnPlace> few = {};
  bool subject_is_many = true;
  std::pair<int, int> layers = {};
};

struct LayerAnswer {
  std::vector<FfnMatch> matches = {};
  Cell best = {};
};

std::vector<FfnPlace> in_layer(const std::vector<FfnPlace>& places, int layer) {
  const auto range = std::ranges::equal_range(places, layer, {}, &FfnPlace::layer);
  return {range.begin(), range.end()};
}

bool any_expert(const std::vector<FfnPlace>& places) {
  return std::ranges::any_of(
      places, [](const FfnPlace& place) { return place.kind != FfnPlace::Kind::dense; });
}

std::uint64_t values_of(const Model& model, const std::vector<FfnPlace>& places) {
  std::uint64_t values = 0;
  for (const FfnPlace& place : places) {
    const CanonicalTensor* up = find_part(model, place, FfnPart::up);
    if (up != nullptr) values += 3 * up->rows * up->cols;
  }
  return values;
}

std::vector<AskedLayer> layers_to_ask(const Model& subject, const Model& base,
                                      const LayerMap& layers, const std::vector<FfnMatch>& known) {
  const auto mine = ffn_places(subject);
  const auto theirs = ffn_places(base);
  std::vector<AskedLayer> asked;
  std::uint64_t values = 0;
  for (const auto& [a, b] : layers) {
    AskedLayer layer{.many = in_layer(mine, a), .few = in_layer(theirs, b), .layers = {a, b}};
    if (!any_expert(layer.many) && !any_expert(layer.few)) continue;
    layer.subject_is_many = layer.many.size() >= layer.few.size();
    if (!layer.subject_is_many) std::swap(layer.many, layer.few);
    std::erase_if(layer.many, [&](const FfnPlace& place) {
      return std::ranges::any_of(known, [&](const FfnMatch& match) {
        return (layer.subject_is_many ? match.subject : match.base) == place;
      });
    });
    if (layer.many.empty() || layer.few.empty()) continue;
    values += values_of(layer.subject_is_many ? subject : base, layer.many) +
              values_of(layer.subject_is_many ? base : subject, layer.few);
    asked.push_back(std::move(layer));
  }
  if (values <= most_values) return asked;
  const auto count = static_cast<std::size_t>(most_values * asked.size() / values);
  std::vector<AskedLayer> spread;
  for (const std::size_t i : spread_places(asked.size(), std::max(fewest_layers, count))) {
    spread.push_back(std::move(asked[i]));
  }
  return spread;
}

// The blocks of one side of a layer: to be looked up, and to be looked up among.
class BlockRows {
 public:
  BlockRows(const Model& model, std::vector<std::uint64_t> dimensions)
      : model_(model), dimensions_(std::move(dimensions)) {}

  Result<const NeuronRows*> all(const FfnPlace& place) { return kept(all_, place, {}); }

  Result<const NeuronRows*> some(const FfnPlace& place) {
    const auto at = some_.find(place);
    if (at != some_.end()) return &at->second;
    const auto neurons = neurons_to_look_up(model_, place);
    if (!neurons) return std::unexpected(neurons.error());
    return kept(some_, place, *neurons);
  }

 private:
  using Kept = std::map<FfnPlace, NeuronRows>;

  Result<const NeuronRows*> kept(Kept& in, const FfnPlace& place,
                                 const std::vector<std::uint64_t>& neurons) {
    const auto at = in.find(place);
    if (at != in.end()) return &at->second;
    auto rows = neuron_rows(model_, place, neurons, dimensions_);
    if (!rows) return std::unexpected(std::move(rows.error()));
    return &in.emplace(place, std::move(*rows)).first->second;
  }

  const Model& model_;
  std::vector<std::uint64_t> dimensions_;
  Kept all_;
  Kept some_;
};

std::uint64_t neurons_in(const Model& model, const FfnPlace& place) {
  const CanonicalTensor* up = find_part(model, place, FfnPart::up);
  return up == nullptr ? 0 : up->rows;
}

class LayerLookup {
 public:
  // `cells`: block pairs tried in all layers.
  LayerLookup(const Model& subject, const Model& base, const AskedLayer& layer, std::size_t cells)
      : layer_(layer),
        cells_(cells),
        many_model_(layer.subject_is_many ? subject : base),
        few_model_(layer.subject_is_many ? base : subject),
        many_rows_(many_model_, looked_at_dimensions(subject.architecture.hidden)),
        few_rows_(few_model_, looked_at_dimensions(base.architecture.hidden)) {}

  Result<LayerAnswer> run() {
    for (const FfnPlace& place : layer_.many) {
      std::optional<FfnMatch> best;
      for (const FfnPlace& other : layer_.few) {
        auto match = held_against(place, other);
        if (!match) return std::unexpected(std::move(match.error()));
        if (!best ||
            std::pair(match->found, -match->distance) > std::pair(best->found, -best->distance)) {
          best = std::move(*match);
        }
      }
      if (best) answer_.matches.push_back(std::move(*best));
    }
    return std::move(answer_);
  }

 private:
  // The smaller block's neurons are looked up among the larger one's.
  Result<FfnMatch> held_against(const FfnPlace& many, const FfnPlace& few) {
    const bool many_is_small = neurons_in(many_model_, many) <= neurons_in(few_model_, few);
    const auto small = many_is_small ? many_rows_.some(many) : few_rows_.some(few);
    if (!small) return std::unexpected(small.error());
    const auto large = many_is_small ? few_rows_.all(few) : many_rows_.all(many);
    if (!large) return std::unexpected(large.error());
    Lookup found = look_up(**small, **large);
    if (answer_.best.witnesses == 0 || found.held_out.matched > answer_.best.matched) {
      answer_.best = found.held_out;
    }
    FfnMatch match{.subject = layer_.subject_is_many ? many : few,
                   .base = layer_.subject_is_many ? few : many,
                   .by_index = false,
                   .looked_up = found.looked_up,
                   .found = found.pairs.size()};
    // Likeness adds three cosines; unit rows with cosine c lie √(2 − 2c) apart.
    match.distance = std::sqrt(std::max(0.0, 2 - 2 * found.likeness / 3));
    if (!stands_out(found.held_out, cells_)) match.found = 0;
    const bool turned = many_is_small != layer_.subject_is_many;
    for (const auto& [one, other] : found.pairs) {
      match.neurons.emplace_back(turned ? other : one, turned ? one : other);
    }
    std::ranges::sort(match.neurons);
    return match;
  }

  const AskedLayer& layer_;
  std::size_t cells_;
  const Model& many_model_;
  const Model& few_model_;
  BlockRows many_rows_;
  BlockRows few_rows_;
  LayerAnswer answer_;
};

}  // namespace

Result<ExpertLookup> look_up_experts(const Side& subject, const Side& base, const LayerMap& layers,
                                     const std::vector<FfnMatch>& known, unsigned threads) {
  ExpertLookup lookup;
  lookup.needs_weights = subject.weights == nullptr || base.weights == nullptr;
  if (lookup.needs_weights) return lookup;
  if (subject.weights->architecture.hidden != base.weights->architecture.hidden) return lookup;
  const auto asked = layers_to_ask(*subject.weights, *base.weights, layers, known);
  for (const AskedLayer& layer : asked) lookup.cells += layer.many.size() * layer.few.size();
  std::vector<LayerAnswer> answers(asked.size());
  auto problem =
      parallel_for(asked.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        auto answer = LayerLookup(*subject.weights, *base.weights, asked[i], lookup.cells).run();
        if (!answer) return std::move(answer.error());
        answers[i] = std::move(*answer);
        return std::nullopt;
      });
  if (problem) return std::unexpected(std::move(*problem));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    lookup.layers.push_back(asked[i].layers);
    if (lookup.best.witnesses == 0 || answers[i].best.matched > lookup.best.matched) {
      lookup.best = answers[i].best;
    }
    for (FfnMatch& match : answers[i].matches) {
      if (5 * match.found < match.looked_up || match.found == 0) continue;
      lookup.looked_up += match.looked_up;
      lookup.found += match.found;
      lookup.matches.push_back(std::move(match));
    }
  }
  return lookup;
}

std::optional<Evidence> lookup_evidence(const ExpertLookup& lookup, double log10_tries) {
  if (lookup.needs_weights) {
    return Evidence{.statistic = "expert-lookup/1",
                    .stage = "layer-map",
                    .because =
                        "Experts whose neurons have other numbers are looked up in weights, and "
                        "of one side only a fingerprint is at hand."};
  }
  if (lookup.cells == 0) return std::nullopt;
  Evidence evidence{.statistic = "expert-lookup/1",
                    .outcome = Evidence::Outcome::not_applicable,
                    .stage = "layer-map",
                    .because = "The models have too few residual dimensions to look neurons up."};
  if (lookup.best.witnesses == 0) return evidence;
  evidence.outcome = Evidence::Outcome::measured;
  evidence.value = static_cast<double>(lookup.best.matched);
  evidence.samples = lookup.best.units;
  evidence.null = Evidence::Null::exact;
  evidence.log10_p =
      log10_p(lookup.best, log10_tries + std::log10(static_cast<double>(lookup.cells)));
  evidence.because = fmt::format(
      "Neurons were looked up among all of the other side's block by one half of the residual "
      "dimensions; through the partners found, {} of {} dimensions of the other half pair with "
      "their own number in the best of {} block pairs. ",
      lookup.best.matched, lookup.best.units, lookup.cells);
  evidence.because +=
      lookup.matches.empty()
          ? "No block holds a fifth of another's neurons."
          : fmt::format("{} of {} neurons of {} blocks have the same partner by both halves.",
                        lookup.found, lookup.looked_up, lookup.matches.size());
  return evidence;
}

}  // namespace pedigree
