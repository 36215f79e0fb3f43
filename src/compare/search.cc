#include "compare/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/bounds.h"
#include "compare/faint.h"
#include "compare/layer_pairs.h"
#include "compare/width.h"

namespace pedigree {
namespace {

using Outcome = Evidence::Outcome;

constexpr std::size_t fewest_tokens = fewest_shared;

bool mostly_matched(const Cell& cell) { return cell.units > 0 && 2 * cell.matched >= cell.units; }

Evidence pairing_evidence(std::string statistic, std::string stage, const Cell& cell,
                          double log10_tries, std::string_view units) {
  Evidence evidence{.statistic = std::move(statistic), .stage = std::move(stage)};
  if (cell.witnesses == 0) {
    evidence.outcome = Outcome::not_applicable;
    evidence.because = fmt::format("The two models share no sampled {} to pair.", units);
    return evidence;
  }
  evidence.outcome = Outcome::measured;
  evidence.value = static_cast<double>(cell.matched);
  evidence.log10_p = log10_p(cell, log10_tries);
  evidence.null = Evidence::Null::exact;
  evidence.samples = cell.units;
  evidence.because = fmt::format(
      "{} of {} sampled {} are best paired with the one of their own number; {} would be expected "
      "of unrelated models.",
      cell.matched, cell.units, units, cell.witnesses);
  return evidence;
}

class Searcher {
 public:
  Searcher(const Side& subject, const Side& base, const CompareOptions& options)
      : subject_(subject),
        base_(base),
        options_(options),
        pairs_(subject.sketch, base.sketch),
        alternatives_(
            std::log10(static_cast<double>(std::max<std::uint64_t>(1, options.alternatives)))) {}

  Search run() {
    const bool decided = aligned() || mapped() || by_sampled_signs() || by_responses() ||
                         by_two_views() || by_width() || by_whole_signs();
    static_cast<void>(decided);
    return std::move(search_);
  }

 private:
  int depth(const Side& side) const { return static_cast<int>(side.sketch.architecture.layers); }

  void note(Evidence evidence) { search_.evidence.push_back(std::move(evidence)); }

  void decide(std::string stage, double log10_p_value, const LayerMap& map) {
    search_.stage = std::move(stage);
    search_.log10_p = log10_p_value;
    search_.descent.alignment.layers = map;
  }

  // Does anything of this layer pair stand out by itself?
  bool is_shared(int a, int b, std::size_t cells) const {
    return stands_out(pairs_.neurons(a, b), cells) || stands_out(pairs_.values(a, b), cells) ||
           stands_out(pairs_.attention(a, b), cells);
  }

  // Layers that stand out by themselves, and the residual stream.
  std::size_t support_of(const LayerMap& map, const Cell& hidden, std::size_t cells) const {
    std::size_t support = stands_out(hidden, 1) ? 1 : 0;
    for (const auto& [a, b] : map) {
      support += is_shared(a, b, cells) ? 1U : 0U;
    }
    return support;
  }

  bool aligned() {
    const LayerMap map = identity_map(subject_.sketch, base_.sketch);
    const Cell by_neurons =
        pooled(map, [this](int a, int b) { return pairs_.neurons(a, b); }, options_.threads);
    const Cell by_values =
        pooled(map, [this](int a, int b) { return pairs_.values(a, b); }, options_.threads);
    const Cell by_hidden = hidden_cell(subject_.sketch, base_.sketch, map);
    note(pairing_evidence("ffn-pairing/1", "aligned", by_neurons, alternatives_, "FFN neurons"));
    note(
        pairing_evidence("value-pairing/1", "aligned", by_values, alternatives_, "value channels"));
    note(pairing_evidence("hidden-pairing/1", "aligned", by_hidden, alternatives_,
                          "residual dimensions"));
    const double tries = alternatives_ + std::log10(group_count);
    const double best = std::min(
        {log10_p(by_neurons, tries), log10_p(by_values, tries), log10_p(by_hidden, tries)});
    // Neurons and values are paired on residual coordinates: they speak for those too.
    search_.descent.alignment.hidden_by_index =
        stands_out(by_hidden, 1) || stands_out(by_neurons, 1) || stands_out(by_values, 1);
    if (best > certain) return false;
    search_.supporting = support_of(map, by_hidden, 1);
    decide("aligned", best, map);
    // Equal depth with every layer in its place is settled; anything else goes
    // on to the layer map, which can only add to what is known.
    const bool in_place =
        depth(subject_) == depth(base_) && std::ranges::all_of(map, [this](const auto& pair) {
          return is_shared(pair.first, pair.second, 1);
        });
    if (!in_place) find_layer_map();
    return true;
  }

  bool mapped() {
    find_layer_map();
    return search_.stage.has_value();
  }

  // Neurons and value channels of a layer pair; where neither stands out, the
  // residual dimensions as only this pair's attention shows them.
  Cell layer_cell(int a, int b, std::size_t cells) const {
    Cell cell = pairs_.neurons(a, b, true);
    cell.add(pairs_.values(a, b, true));
    if (stands_out(cell, cells)) return cell;
    const Cell by_attention = pairs_.attention(a, b, true);
    return stands_out(by_attention, cells) ? by_attention : cell;
  }

  void find_layer_map() {
    const auto cells =
        static_cast<std::size_t>(depth(subject_)) * static_cast<std::size_t>(depth(base_));
    const CellTable table = cell_table(
        depth(subject_), depth(base_),
        [this, cells](int a, int b) { return layer_cell(a, b, cells); }, options_.threads);
    const LayerMap map = best_layer_map(table);
    const Cell by_units = pooled(map, [this](int a, int b) {
      Cell cell = pairs_.neurons(a, b);
      cell.add(pairs_.values(a, b));
      return cell;
    });
    const Cell by_hidden = hidden_cell(subject_.sketch, base_.sketch, map);
    // The map was chosen from the data: every subject layer had all base layers,
    // and none, to choose from; and the better of two groups is taken.
    const double tries =
        alternatives_ + std::log10(2.0) +
        static_cast<double>(depth(subject_)) * std::log10(static_cast<double>(depth(base_)) + 1);
    const bool by_hidden_is_better = log10_p(by_hidden) < log10_p(by_units);
    note_layer_map(by_hidden_is_better && !map.empty() ? by_hidden : by_units, tries, map, cells);
    const double p = search_.evidence.back().log10_p.value_or(0);
    if (map.empty() || (p > certain && !search_.stage)) return;
    if (!search_.stage) decide("layer-map", p, map);
    search_.descent.alignment.layers = map;
    search_.descent.alignment.hidden_by_index = true;
    search_.supporting = std::max(search_.supporting, support_of(map, by_hidden, cells));
    note_repeats(table);
  }

  void note_layer_map(const Cell& cell, double tries, const LayerMap& map, std::size_t cells) {
    Evidence evidence =
        pairing_evidence("layer-map/1", "layer-map", cell, tries, "units of mapped layers");
    if (map.empty()) {
      evidence.outcome = cells == 0 ? Outcome::not_applicable : Outcome::measured;
      evidence.log10_p = 0;
      evidence.null = Evidence::Null::exact;
      evidence.because = fmt::format(
          "No pair among {} layer pairs stands out, so no layer of one is a layer of the other by "
          "number.",
          cells);
    }
    note(std::move(evidence));
  }

  void note_repeats(const CellTable& table) {
    for (int a = 0; a < table.subject_layers; ++a) {
      int partners = 0;
      for (int b = 0; b < table.base_layers; ++b)
        partners += mostly_matched(table.at(a, b)) ? 1 : 0;
      search_.descent.base_repeats_layers |= partners > 1;
    }
    for (int b = 0; b < table.base_layers; ++b) {
      int partners = 0;
      for (int a = 0; a < table.subject_layers; ++a) {
        partners += mostly_matched(table.at(a, b)) ? 1 : 0;
      }
      search_.descent.subject_repeats_layers |= partners > 1;
    }
  }

  bool by_responses() {
    const auto tokens = common_tokens(subject_.sketch, base_.sketch);
    if (tokens.subject_rows.size() < fewest_tokens) {
      note({.statistic = "response-pairing/1",
            .outcome = Outcome::insufficient,
            .stage = "responses",
            .because = fmt::format("Only {} sampled tokens are in both vocabularies.",
                                   tokens.subject_rows.size())});
      return false;
    }
    const auto cell = [this](int a, int b) { return pairs_.responses(a, b); };
    const auto screened_cell = [this](int a, int b) { return pairs_.responses(a, b, true); };
    const bool equal_depth = depth(subject_) == depth(base_);
    LayerMap map = identity_map(subject_.sketch, base_.sketch);
    double tries = alternatives_;
    Cell total = pooled(map, cell, options_.threads);
    if (!equal_depth || log10_p(total, tries) > certain) {
      const CellTable table =
          cell_table(depth(subject_), depth(base_), screened_cell, options_.threads);
      const LayerMap found = best_layer_map(table);
      if (!found.empty()) {
        map = found;
        total = pooled(map, cell, options_.threads);
        tries += static_cast<double>(depth(subject_)) *
                 std::log10(static_cast<double>(depth(base_)) + 1);
        note_repeats(table);
      }
    }
    Evidence evidence = pairing_evidence("response-pairing/1", "responses", total, tries,
                                         "FFN neurons, by their responses to common tokens,");
    const double p = evidence.log10_p.value_or(0);
    note(std::move(evidence));
    if (p > certain) return false;
    decide("responses", p, map);
    std::erase_if(search_.descent.alignment.layers,
                  [&](const auto& pair) { return !stands_out(cell(pair.first, pair.second), 1); });
    search_.supporting = search_.descent.alignment.layers.size();
    search_.descent.alignment.hidden_by_index = false;
    search_.descent.reparametrised = true;
    search_.descent.transforms.emplace_back("rotate");
    return true;
  }

  bool by_two_views() {
    if (options_.quick) {
      search_.missing = "deep stages were left out by --quick";
      return false;
    }
    if (subject_.weights == nullptr || base_.weights == nullptr) {
      search_.missing = "a fingerprint without its deep part was all there was of one side";
      return false;
    }
    const auto tokens = common_tokens(subject_.sketch, base_.sketch);
    const auto mine =
        neuron_views(*subject_.weights, tokens.subject_rows, options_.threads, options_.progress);
    const auto theirs =
        neuron_views(*base_.weights, tokens.base_rows, options_.threads, options_.progress);
    if (!mine || !theirs) {
      search_.problem = mine ? theirs.error() : mine.error();
      return false;
    }
    const auto unusable = [](const std::vector<NeuronViews>& views) {
      return views.empty() || std::ranges::all_of(views, [](const NeuronViews& layer) {
               return layer.neurons.empty();
             });
    };
    if (unusable(*mine) || unusable(*theirs) || tokens.subject_rows.size() < fewest_tokens) {
      note({.statistic = "two-view/1",
            .outcome = Outcome::not_applicable,
            .stage = "two-view",
            .because = "Two-view agreement needs gated MLPs and common tokens on both sides."});
      search_.missing =
          "one side has no gated MLP that two-view agreement could read, or too few "
          "common tokens";
      return false;
    }
    const LayerPairs among_mine(subject_.sketch, subject_.sketch);
    const LayerPairs among_theirs(base_.sketch, base_.sketch);
    const auto duplicates = [&](int side, int i, int j) {
      return i != j && mostly_matched((side == 0 ? among_mine : among_theirs).neurons(i, j, true));
    };
    judge(two_view(*mine, *theirs, duplicates, options_.threads));
    search_.all_stages_ran = !search_.stage.has_value();
    return search_.stage.has_value();
  }

  void judge(const TwoView& seen) {
    Evidence evidence{.statistic = "two-view/1", .outcome = Outcome::measured, .stage = "two-view"};
    evidence.value = static_cast<double>(seen.smallest);
    evidence.null = Evidence::Null::assumed;
    evidence.samples = seen.looked_at;
    std::size_t agreeing = 0;
    for (const auto& pairs : seen.neurons) agreeing += pairs.size();
    const double tries = alternatives_ + static_cast<double>(depth(subject_)) *
                                             std::log10(static_cast<double>(depth(base_)) + 1);
    evidence.log10_p = std::min(0.0, log10_pooled_matches(agreeing, seen.map.size()) + tries);
    evidence.because =
        seen.map.empty()
            ? fmt::format(
                  "In no layer do gate and up responses name the same partner for more "
                  "neurons than chance; the largest agreement between layers that cannot "
                  "correspond is {} of {}.",
                  seen.control, seen.looked_at)
            : fmt::format(
                  "In {} of {} layers gate and up responses independently name the same "
                  "partner for at least {} of {} neurons; between layers that cannot "
                  "correspond at most {} agree.",
                  seen.map.size(), seen.mapped, seen.smallest, seen.looked_at, seen.control);
    const double p = *evidence.log10_p;
    note(std::move(evidence));
    if (!seen.decides || p > certain) return;
    decide("two-view", p, seen.map);
    search_.assumed_null = true;
    search_.supporting = seen.map.size();
    Descent& descent = search_.descent;
    descent.alignment.neurons = seen.neurons;
    descent.alignment.neurons_by_index = false;
    descent.alignment.hidden_by_index = false;
    descent.reparametrised = true;
    descent.transforms = {"neuron-permute", "rotate"};
    note_two_view_repeats(seen);
  }

  // Hidden sizes differ: sampled indices do not mean the same on both sides.
  bool by_width() {
    if (options_.quick) return false;
    auto found = search_width(subject_, base_, identity_map(subject_.sketch, base_.sketch),
                              alternatives_, options_.threads);
    if (!found) {
      search_.problem = std::move(found.error());
      return false;
    }
    std::ranges::move(found->evidence, std::back_inserter(search_.evidence));
    if (found->log10_p > certain) return false;
    if (found->layers.size() < 2) {
      search_.doubt =
          "residual dimensions of one stand in their old order among the other's, but too few "
          "layers could be set against each other";
      return false;
    }
    decide("aligned", found->log10_p, found->layers);
    search_.supporting = 1 + found->layers.size();
    search_.all_stages_ran = false;
    return true;
  }

  bool by_sampled_signs() {
    return take(sampled_signs(subject_, base_, alternatives_, options_.threads));
  }

  // The dearest stage comes last: what the others missed is faint or not there.
  bool by_whole_signs() {
    if (!search_.all_stages_ran) return false;
    auto faint = whole_signs(subject_, base_, alternatives_, options_);
    if (!faint) {
      search_.problem = std::move(faint.error());
      return false;
    }
    return take(std::move(*faint));
  }

  bool take(Faint faint) {
    std::ranges::move(faint.evidence, std::back_inserter(search_.evidence));
    if (search_.doubt.empty()) search_.doubt = std::move(faint.doubt);
    if (faint.power && (!search_.power || *faint.power < *search_.power)) {
      search_.power = faint.power;
      search_.power_in_place = faint.power_in_place;
    }
    if (!faint.log10_p) return false;
    decide(std::move(faint.stage), *faint.log10_p, faint.map);
    search_.supporting = faint.supporting;
    search_.all_stages_ran = false;
    search_.descent.faint = true;
    search_.descent.alignment.hidden_by_index = true;
    return true;
  }

  void note_two_view_repeats(const TwoView& seen) {
    std::vector<int> base_layers;
    for (const auto& [a, b] : seen.map) base_layers.push_back(b);
    std::ranges::sort(base_layers);
    search_.descent.subject_repeats_layers =
        std::ranges::adjacent_find(base_layers) != base_layers.end();
  }

  const Side& subject_;
  const Side& base_;
  const CompareOptions& options_;
  LayerPairs pairs_;
  double alternatives_;
  Search search_;
};

}  // namespace

Search search(const Side& subject, const Side& base, const CompareOptions& options) {
  return Searcher(subject, base, options).run();
}

}  // namespace pedigree
