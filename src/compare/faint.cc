#include "compare/faint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "compare/dense.h"
#include "compare/full_signs.h"
#include "compare/pairing.h"
#include "compare/search.h"
#include "compare/signed_layers.h"
#include "compare/trace.h"

namespace pedigree {
namespace {

using Outcome = Evidence::Outcome;

// Three groups paired by index, two groups of free signs on the sample and two on
// whole matrices: the smallest p is paid seven times.
const double log10_groups = std::log10(group_count + 4);
constexpr double leaves_doubt = -5;
constexpr std::size_t traced_layers = 32;

Evidence sign_evidence(const char* statistic, const char* stage, const SignSum& sum, double tries,
                       std::string_view units) {
  Evidence evidence{.statistic = statistic, .stage = stage};
  if (sum.units < fewest_units) {
    evidence.outcome = Outcome::not_applicable;
    evidence.because = fmt::format("The two models share too few {} whose signs are free.", units);
    return evidence;
  }
  evidence.outcome = Outcome::measured;
  evidence.value = sum.deviations();
  evidence.log10_p = log10_p(sum, tries);
  evidence.null = Evidence::Null::bound;
  evidence.samples = sum.units;
  const double z = sum.deviations();
  evidence.because =
      z > 0 ? fmt::format(
                  "Taken together, {} {} agree in sign with those of the same number {:.1f} "
                  "standard deviations more than coin tosses would. Training prefers no sign, so "
                  "unrelated models reach z deviations with a probability of at most exp(-z²/2).",
                  sum.units, units, z)
            : fmt::format(
                  "Taken together, {} {} agree in sign with those of the same number no "
                  "more than coin tosses would.",
                  sum.units, units);
  return evidence;
}

// Layers and groups without which independence would not be rejected: those that
// stand out alone, and at least three when the others do so without the best two.
std::size_t support_of(std::vector<SignSum> layers, const SignSum& dimensions, double tries) {
  const double own_tries = std::log10(static_cast<double>(std::max<std::size_t>(1, layers.size())));
  std::size_t support = log10_p(dimensions) <= -4 ? 1 : 0;
  for (const SignSum& layer : layers) support += log10_p(layer, own_tries) <= -4 ? 1U : 0U;
  std::ranges::sort(layers, std::greater{}, &SignSum::deviations);
  SignSum others;
  for (std::size_t i = 2; i < layers.size(); ++i) others.add(layers[i]);
  return log10_p(others, tries) <= certain ? std::max<std::size_t>(support, 3) : support;
}

struct Groups {
  SignSum units = {};
  SignSum dimensions = {};
  std::vector<SignSum> by_layer = {};
  double tries = 0;

  double best() const { return std::min(log10_p(units, tries), log10_p(dimensions, tries)); }
};

void judge(Faint& faint, const Groups& groups, const LayerMap& map, const char* stage) {
  const double p = groups.best();
  if (p <= certain) {
    faint.log10_p = p;
    faint.stage = stage;
    faint.map = map;
    faint.supporting = support_of(groups.by_layer, groups.dimensions, groups.tries);
    faint.doubt.clear();
  } else if (p <= leaves_doubt) {
    faint.doubt = fmt::format(
        "the signs of units agree more than unrelated models would (p {:.0e}), but not enough to "
        "be sure",
        std::pow(10.0, p));
  }
}

Groups sampled_groups(const SignedLayers& layers, const LayerMap& map, double tries,
                      unsigned threads) {
  Groups groups{.by_layer = std::vector<SignSum>(map.size()), .tries = tries};
  const auto failed =
      parallel_for(map.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        groups.by_layer[i] = layers.units(map[i].first, map[i].second);
        return std::nullopt;
      });
  check(!failed, "signs of layers cannot fail");
  for (const SignSum& layer : groups.by_layer) groups.units.add(layer);
  groups.dimensions = layers.dimensions(map, threads);
  return groups;
}

void trace(Faint& faint, const Side& subject, const Side& base, bool signs_are_free,
           unsigned threads) {
  const LayerMap map = identity_map(subject.sketch, base.sketch);
  const auto places = spread_places(map.size(), traced_layers);
  std::vector<TraceSum> sums(places.size());
  std::vector<std::size_t> counts(places.size());
  const auto failed =
      parallel_for(places.size(), threads, {}, [&](std::size_t i) -> std::optional<Problem> {
        const auto [a, b] = map[places[i]];
        const auto witness = neuron_witness(subject.sketch, a, base.sketch, b);
        if (!witness) return std::nullopt;
        sums[i].add(similarity(*witness));
        counts[i] = witness->units;
        return std::nullopt;
      });
  check(!failed, "tracing a layer cannot fail");
  TraceSum sum;
  std::size_t units = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    sum.add(sums[i]);
    units += counts[i];
  }
  Evidence evidence{.statistic = "neuron-trace/1", .stage = "aligned"};
  evidence.outcome = units == 0 ? Outcome::not_applicable : Outcome::measured;
  evidence.because = "The two models share no sampled FFN neurons.";
  if (units > 0) {
    evidence.value = sum.deviations();
    evidence.log10_p = log10_p(sum);
    evidence.null = Evidence::Null::asymptotic;
    evidence.samples = units;
    evidence.because = fmt::format(
        "{} sampled FFN neurons are alike their own numbers by {:.1f} deviations more than other "
        "pairings would be; screening only.",
        units, sum.deviations());
  }
  if (units > 0 && log10_p(sum) <= -4 && !signs_are_free && faint.doubt.empty()) {
    faint.doubt =
        "the trace of the neurons' similarity stands out, and no exact test is sensitive enough to "
        "confirm or to dismiss it";
  }
  faint.evidence.push_back(std::move(evidence));
}

}  // namespace

Faint sampled_signs(const Side& subject, const Side& base, double log10_alternatives,
                    unsigned threads) {
  Faint faint;
  const SignedLayers layers(subject.sketch, base.sketch, threads);
  const double tries = log10_alternatives + log10_groups;
  const LayerMap in_place = identity_map(subject.sketch, base.sketch);
  const Groups groups = sampled_groups(layers, in_place, tries, threads);
  faint.evidence.push_back(sign_evidence("unit-signs/1", "aligned", groups.units, tries,
                                         "sampled neurons and value channels"));
  faint.evidence.push_back(sign_evidence("dimension-signs/1", "aligned", groups.dimensions, tries,
                                         "sampled residual dimensions"));
  judge(faint, groups, in_place, "aligned");
  const double map_tries = static_cast<double>(subject.sketch.architecture.layers) *
                           std::log10(static_cast<double>(base.sketch.architecture.layers) + 1);
  if (groups.units.units >= fewest_units) {
    const LayerMap map = layers.best_map(threads);
    const Groups mapped = sampled_groups(layers, map, tries + map_tries, threads);
    faint.evidence.push_back(
        sign_evidence("unit-signs/1", "layer-map", mapped.units, mapped.tries,
                      "sampled neurons and value channels of the layers that fit best"));
    // One layer in its place may be enough to reject, and yet the others were moved.
    if (!faint.log10_p || mapped.best() < *faint.log10_p) judge(faint, mapped, map, "layer-map");
  }
  trace(faint, subject, base, layers.free().neurons, threads);
  if (layers.free().neurons) faint.power = sign_power(groups.units, certain - tries - map_tries);
  return faint;
}

Result<Faint> whole_signs(const Side& subject, const Side& base, double log10_alternatives,
                          const CompareOptions& options) {
  Faint faint;
  const Architecture& mine = subject.sketch.architecture;
  const Architecture& theirs = base.sketch.architecture;
  if (subject.weights == nullptr || base.weights == nullptr || mine.layers != theirs.layers ||
      mine.hidden != theirs.hidden) {
    return faint;
  }
  const LayerMap map = identity_map(subject.sketch, base.sketch);
  auto signs = full_signs(subject, base, map, options);
  if (!signs) return std::unexpected(std::move(signs.error()));
  const Groups groups{.units = signs->units,
                      .dimensions = signs->dimensions,
                      .by_layer = signs->by_layer,
                      .tries = log10_alternatives + log10_groups};
  faint.evidence.push_back(
      sign_evidence("whole-unit-signs/1", "aligned", groups.units, groups.tries,
                    fmt::format("neurons and value channels of {} layers", signs->layers)));
  faint.evidence.push_back(sign_evidence("whole-dimension-signs/1", "aligned", groups.dimensions,
                                         groups.tries, "residual dimensions"));
  judge(faint, groups, map, "aligned");
  const bool neurons = free_signs(mine, theirs).neurons && mine.ffn == theirs.ffn;
  if (neurons) faint.power = sign_power(groups.units, certain - groups.tries);
  faint.power_in_place = true;
  return faint;
}

}  // namespace pedigree
