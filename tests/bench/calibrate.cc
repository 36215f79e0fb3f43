// How often is each statistic surprised by models that have nothing to do with
// each other? Runs the search that compare() runs on pairs of independent
// sketches, made at random and taken of trained models, and prints for each
// statistic the observed share of tests at or below each nominal level with the
// lower 99 % Clopper–Pearson bound of its rate. scripts/calibrate builds and runs
// it.
//
// usage: calibrate PAIRS SEED [MODEL_DIRECTORY…]
// Directories are trained models, each independent of every other.
// Exit status 1 when a bound lies above its level, or an assumed null decides.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "bench/made_sketches.h"
#include "compare/bounds.h"
#include "compare/couplings.h"
#include "compare/search.h"
#include "fingerprint/fingerprint.h"
#include "model/model.h"

namespace {

using namespace pedigree;

constexpr std::array levels = {-1.0, -2.0, -3.0, -4.0};

struct Tally {
  std::string null = {};
  std::uint64_t tests = 0;
  std::array<std::uint64_t, levels.size()> hits = {};
  double smallest = 0;
};

using Tallies = std::map<std::pair<std::string, std::string>, Tally>;  // (statistic, kind)

// P(Binomial(n, p) ≥ hits), summed from below.
double upper_tail(std::uint64_t hits, std::uint64_t n, double p) {
  const auto all = static_cast<double>(n);
  double below = 0;
  for (std::uint64_t k = 0; k < hits; ++k) {
    const auto count = static_cast<double>(k);
    below += std::exp(std::lgamma(all + 1) - std::lgamma(count + 1) - std::lgamma(all - count + 1) +
                      count * std::log(p) + (all - count) * std::log1p(-p));
  }
  return 1 - below;
}

// Clopper and Pearson 1934: the smallest rate that does not make `hits` or more
// rarer than one in two hundred.
double lower_bound(std::uint64_t hits, std::uint64_t n) {
  if (hits == 0) return 0;
  double low = 0;
  double high = static_cast<double>(hits) / static_cast<double>(n);
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (upper_tail(hits, n, middle) < 0.005 ? low : high) = middle;
  }
  return low;
}

struct Outcome {
  Search found = {};
  std::string kind = {};
};

Search searched(const Fingerprint& a, const Fingerprint& b) {
  CompareOptions options;
  options.quick = true;
  options.threads = 1;
  return search({.sketch = a}, {.sketch = b}, options);
}

// Neurons are looked up in weights, which a sketch has not: on rows made for it.
Evidence made_lookup(Flaw flaw, std::uint64_t seed) {
  const Lookup found = look_up(made_rows(24, 64, flaw, 2 * seed + 1000003),
                               made_rows(48, 64, flaw, 2 * seed + 1000004));
  return {.statistic = "expert-lookup/1",
          .outcome = Evidence::Outcome::measured,
          .log10_p = log10_p(found.held_out),
          .null = Evidence::Null::exact};
}

// Couplings are taken of weights: of rows made for it, that couple to matrices of their own.
CoupledSide made_neurons(Flaw flaw, std::uint64_t seed) {
  constexpr int layers = 4;
  constexpr int probes = 24;
  CoupledSide made;
  for (int layer = 0; layer < layers; ++layer) {
    NeuronRows rows = made_rows(64, 48, flaw, seed + static_cast<std::uint64_t>(layer));
    CoupledNeurons neurons{.layer = layer,
                           .first = std::move(rows.gate),
                           .second = std::move(rows.up),
                           .first_strengths = Matrix(64, probes),
                           .second_strengths = Matrix(64, probes)};
    for (std::size_t i = 0; i < 64; ++i) neurons.neurons.push_back(i);
    for (int probe = 0; probe < probes; ++probe) {
      const auto number = static_cast<std::uint64_t>(layers + layer * probes + probe);
      const Matrix matrix = made_rows(12, 48, flaw, seed + number).gate;
      const auto first = strengths(neurons.first, matrix, 1);
      const auto second = strengths(neurons.second, matrix, 1);
      const auto at = static_cast<std::size_t>(probe);
      for (std::size_t i = 0; i < 64; ++i) {
        neurons.first_strengths.at(i, at) = first[i];
        neurons.second_strengths.at(i, at) = second[i];
      }
      neurons.probes.push_back({.role = "attn.k", .frequency = probe});
    }
    made.layers.push_back(std::move(neurons));
  }
  return made;
}

// The largest agreement between any two layers, which two-view's rule starts from.
void add_made_couplings(Outcome& outcome, Flaw flaw, std::uint64_t seed) {
  const Couplings found = couplings(
      made_neurons(flaw, 4096 * seed), made_neurons(flaw, 4096 * seed + 2048), true,
      [](int, int, int) { return false; }, 1);
  const auto largest = std::max(found.seen.largest, found.seen.control);
  const double cells = 4 + static_cast<double>(found.seen.control_cells);
  outcome.found.evidence.push_back(
      {.statistic = "couplings/1",
       .outcome = Evidence::Outcome::measured,
       .log10_p = std::min(0.0, log10_pooled_matches(largest, 1) + std::log10(cells)),
       .null = Evidence::Null::assumed});
  if (found.seen.decides) outcome.found.stage = "couplings";
}

Outcome made_pair(std::uint64_t seed) {
  SketchShape shape = drawn_shape(seed);
  SketchShape other = shape;
  draw_experts(shape, other, seed);
  const auto flaw = static_cast<Flaw>(seed % flaw_count);
  Outcome outcome{.found = searched(made_sketch(shape, flaw, 2 * seed + 1),
                                    made_sketch(other, flaw, 2 * seed + 2)),
                  .kind = std::string(flaw_name(flaw))};
  outcome.found.evidence.push_back(made_lookup(flaw, seed));
  if (seed % 8 < 2) add_made_couplings(outcome, flaw, seed);
  return outcome;
}

void count(Tallies& tallies, const Outcome& outcome) {
  for (const Evidence& evidence : outcome.found.evidence) {
    if (evidence.outcome != Evidence::Outcome::measured || !evidence.log10_p) continue;
    for (const std::string& kind : {std::string("all"), outcome.kind}) {
      Tally& tally = tallies[{evidence.statistic, kind}];
      tally.null = null_name(evidence.null);
      ++tally.tests;
      tally.smallest = std::min(tally.smallest, *evidence.log10_p);
      for (std::size_t i = 0; i < levels.size(); ++i) {
        tally.hits[i] += *evidence.log10_p <= levels[i] ? 1U : 0U;
      }
    }
  }
}

template <class Make>
void run_pairs(std::size_t pairs, Tallies& tallies, std::uint64_t& decided, const Make& make) {
  std::vector<Outcome> outcomes(pairs);
  parallel_for(pairs, 0, {}, [&](std::size_t i) -> std::optional<Problem> {
    outcomes[i] = make(i);
    return std::nullopt;
  });
  for (const Outcome& outcome : outcomes) {
    count(tallies, outcome);
    decided += outcome.found.stage ? 1U : 0U;
  }
}

std::vector<Fingerprint> sketches_of(int count, char** paths) {
  std::vector<Fingerprint> sketches;
  for (int i = 0; i < count; ++i) {
    const auto model = open_model(paths[i]);
    auto sketch =
        model ? make_fingerprint(**model) : Result<Fingerprint>(std::unexpected(model.error()));
    if (!sketch) {
      fmt::print(stderr, "calibrate: {}: {}\n", paths[i], sketch.error().message);
      std::exit(2);
    }
    sketches.push_back(std::move(*sketch));
  }
  return sketches;
}

bool is_bounded(const Tally& tally) { return tally.null == "exact" || tally.null == "bound"; }

bool print(const Tallies& tallies) {
  bool good = true;
  fmt::print(
      "| statistic | null | models | tests | at 1e-1 | at 1e-2 | at 1e-3 | at 1e-4 | "
      "smallest log10 p | holds |\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (const auto& [key, tally] : tallies) {
    std::string cells;
    bool holds = true;
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const double rate = static_cast<double>(tally.hits[i]) / static_cast<double>(tally.tests);
      cells += fmt::format(" {:.5f} |", rate);
      holds = holds && lower_bound(tally.hits[i], tally.tests) <= std::pow(10.0, levels[i]);
    }
    const bool promised = is_bounded(tally);
    good = good && (holds || !promised);
    fmt::print("| `{}` | {} | {} | {} |{} {:.1f} | {} |\n", key.first, tally.null, key.second,
               tally.tests, cells, tally.smallest,
               promised ? (holds ? "yes" : "NO") : (holds ? "yes, not promised" : "not promised"));
  }
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: calibrate PAIRS SEED [MODEL_DIRECTORY…]\n");
    return 4;
  }
  const std::uint64_t pairs = std::strtoull(argv[1], nullptr, 10);
  const std::uint64_t seed = std::strtoull(argv[2], nullptr, 10);
  Tallies tallies;
  std::uint64_t decided = 0;
  constexpr std::uint64_t at_once = 2000;  // outcomes held
  for (std::uint64_t first = 0; first < pairs; first += at_once) {
    run_pairs(std::min(at_once, pairs - first), tallies, decided,
              [&](std::size_t i) { return made_pair(seed + first + i); });
  }
  const auto trained = sketches_of(argc - 3, argv + 3);
  std::vector<std::pair<std::size_t, std::size_t>> combinations;
  for (std::size_t i = 0; i < trained.size(); ++i) {
    for (std::size_t j = i + 1; j < trained.size(); ++j) combinations.emplace_back(i, j);
  }
  run_pairs(combinations.size(), tallies, decided, [&](std::size_t i) {
    return Outcome{
        .found = searched(trained[combinations[i].first], trained[combinations[i].second]),
        .kind = "trained"};
  });
  const bool good = print(tallies);
  std::uint64_t tests = 0;
  for (const auto& [key, tally] : tallies) tests += key.second == "all" ? tally.tests : 0;
  fmt::print("\n{} tests on {} made and {} trained pairs; independence rejected for {} of them.\n",
             tests, pairs, combinations.size(), decided);
  return good && decided == 0 ? 0 : 1;
}
