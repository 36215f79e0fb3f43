#include "compare/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "compare/bounds.h"
#include "compare/expert_lookup.h"
#include "compare/expert_matches.h"
#include "compare/faint.h"
#include "compare/ffn_pairs.h"
#include "compare/kept_experts.h"
#include "compare/layer_pairs.h"
#include "compare/row_stages.h"
#include "compare/two_view_stage.h"
#include "compare/width.h"

namespace pedigree {
namespace {

using Outcome = Evidence::Outcome;

constexpr std::size_t fewest_tokens = fewest_shared;

bool mostly_matched(const Cell& cell) { return cell.units > 0 && 2 * cell.matched >= cell.units; }

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
    if (!prepare_blocks()) return std::move(search_);
    const bool decided = aligned() || mapped() || by_expert_lookup() || by_sampled_signs() ||
                         by_responses() || by_two_views() || by_rows() || by_width() ||
                         by_whole_signs();
    static_cast<void>(decided);
    return std::move(search_);
  }

 private:
  bool prepare_blocks() {
    FfnSketch mine;
    FfnSketch theirs;
    const auto failed = parallel_for(
        2, options_.threads, options_.progress, [&](std::size_t side) -> std::optional<Problem> {
          auto made =
              side == 0 ? ffn_sketch(subject_, base_.sketch) : ffn_sketch(base_, subject_.sketch);
          if (!made) return std::move(made.error());
          (side == 0 ? mine : theirs) = std::move(*made);
          return std::nullopt;
        });
    if (failed) return give_up(*failed);
    blocks_ = std::make_shared<const FfnPairs>(std::move(mine), std::move(theirs));
    search_.blocks = blocks_;
    return true;
  }

  bool give_up(const Problem& problem) {
    search_.problem = problem;
    return false;
  }

  int depth(const Side& side) const { return static_cast<int>(side.sketch.architecture.layers); }

  void note(Evidence evidence) { search_.evidence.push_back(std::move(evidence)); }

  void decide(std::string stage, double log10_p_value, const LayerMap& map) {
    search_.stage = std::move(stage);
    search_.log10_p = log10_p_value;
    search_.descent.alignment.layers = map;
  }

  // Does anything of this layer pair stand out by itself?
  bool is_shared(int a, int b, std::size_t cells) const {
    return stands_out(blocks_->neurons(a, b), cells * blocks_->choices(a, b)) ||
           stands_out(pairs_.values(a, b), cells) || stands_out(pairs_.attention(a, b), cells);
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
        pooled(map, [this](int a, int b) { return blocks_->neurons(a, b); }, options_.threads);
    const Cell by_values =
        pooled(map, [this](int a, int b) { return pairs_.values(a, b); }, options_.threads);
    const Cell by_hidden = pairs_.hidden(map, options_.threads);
    const double neuron_tries = alternatives_ + blocks_->log10_choices(map);
    note(neuron_evidence(by_neurons, map, neuron_tries));
    note(
        pairing_evidence("value-pairing/1", "aligned", by_values, alternatives_, "value channels"));
    note(pairing_evidence("hidden-pairing/1", "aligned", by_hidden, alternatives_,
                          "residual dimensions"));
    const double tries = alternatives_ + std::log10(group_count);
    const double best = std::min({log10_p(by_neurons, neuron_tries + std::log10(group_count)),
                                  log10_p(by_values, tries), log10_p(by_hidden, tries)});
    // Neurons and values are paired on residual coordinates: they speak for those too.
    search_.descent.alignment.hidden_by_index =
        stands_out(by_hidden, 1) || log10_p(by_neurons, blocks_->log10_choices(map)) <= -4 ||
        stands_out(by_values, 1);
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

  Evidence neuron_evidence(const Cell& cell, const LayerMap& map, double tries) const {
    if (!blocks_->any_experts()) {
      return pairing_evidence("ffn-pairing/1", "aligned", cell, tries, "FFN neurons");
    }
    Evidence evidence = pairing_evidence("expert-pairing/1", "aligned", cell, tries,
                                         "neurons of feed-forward blocks");
    std::size_t most = 1;
    for (const auto& [a, b] : map) most = std::max(most, blocks_->choices(a, b));
    if (most > 1) {
      evidence.because += fmt::format(
          " In each layer the best of up to {} pairs of blocks was taken, which p pays for.", most);
    }
    return evidence;
  }

  bool mapped() {
    find_layer_map();
    return search_.stage.has_value();
  }

  // Neurons and value channels of a layer pair; where neither stands out, the
  // residual dimensions as only this pair's attention shows them.
  Cell layer_cell(int a, int b, std::size_t cells) const {
    Cell cell = blocks_->neurons(a, b, true);
    cell.add(pairs_.values(a, b, true));
    if (stands_out(cell, cells * blocks_->choices(a, b))) return cell;
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
    const auto units_of = [this](int a, int b) {
      Cell cell = blocks_->neurons(a, b);
      cell.add(pairs_.values(a, b));
      return cell;
    };
    const Cell by_units = pooled(map, units_of, options_.threads);
    const Cell by_hidden = map.empty() ? Cell{} : pairs_.hidden(map, options_.threads);
    // The map was chosen from the data: every subject layer had all base layers,
    // and none, to choose from; and the better of two groups is taken.
    const double tries =
        alternatives_ + std::log10(2.0) + blocks_->log10_maps(depth(subject_), depth(base_));
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

  // Experts whose neurons kept no number: only between layers of one number.
  bool by_expert_lookup() {
    if (!blocks_->any_experts() || options_.quick) return false;
    const LayerMap map = identity_map(subject_.sketch, base_.sketch);
    const auto found = look_up_experts(subject_, base_, map, {}, options_.threads);
    if (!found) return give_up(found.error());
    const auto evidence = lookup_evidence(*found, alternatives_);
    if (!evidence) return false;
    const double p = evidence->log10_p.value_or(0);
    note(*evidence);
    LayerMap carried;
    for (const FfnMatch& match : found->matches) {
      const std::pair layers(match.subject.layer, match.base.layer);
      if (carried.empty() || carried.back() != layers) carried.push_back(layers);
    }
    if (p > certain || carried.empty()) return false;
    decide("layer-map", p, carried);
    search_.supporting = carried.size();
    search_.descent.alignment.hidden_by_index = true;
    return true;
  }

  // With the answers of experts, which weights give and a deep part keeps.
  bool prepare_answers() {
    if (!blocks_->any_experts()) return true;
    if (go_by_kept_answers(subject_, base_)) return prepare_kept_answers();
    FfnSketch mine = blocks_->subject();
    FfnSketch theirs = blocks_->base();
    for (auto& [sketch, side] : {std::pair(&mine, &subject_), std::pair(&theirs, &base_)}) {
      auto problem = add_answers(*sketch, *side, options_.threads, options_.progress);
      if (problem) return give_up(*problem);
    }
    search_.answered = std::make_shared<const FfnPairs>(std::move(mine), std::move(theirs));
    return true;
  }

  bool prepare_kept_answers() {
    auto mine = answered_blocks(subject_, base_, options_);
    if (!mine) return give_up(mine.error());
    auto theirs = answered_blocks(base_, subject_, options_);
    if (!theirs) return give_up(theirs.error());
    search_.answered = std::make_shared<const FfnPairs>(std::move(*mine), std::move(*theirs));
    return true;
  }

  bool by_responses() {
    if (search_.problem || !prepare_answers()) return false;
    const FfnPairs& answers = search_.answered ? *search_.answered : *blocks_;
    const auto tokens = common_tokens(subject_.sketch, base_.sketch);
    if (tokens.subject_rows.size() < fewest_tokens) {
      note({.statistic = "response-pairing/1",
            .outcome = Outcome::insufficient,
            .stage = "responses",
            .because = fmt::format("Only {} sampled tokens are in both vocabularies.",
                                   tokens.subject_rows.size())});
      return false;
    }
    const auto cell = [&](int a, int b) { return answers.responses(a, b); };
    const auto screened_cell = [&](int a, int b) { return answers.responses(a, b, true); };
    const bool equal_depth = depth(subject_) == depth(base_);
    LayerMap map = identity_map(subject_.sketch, base_.sketch);
    double tries = alternatives_ + answers.log10_choices(map);
    Cell total = pooled(map, cell, options_.threads);
    if (!equal_depth || log10_p(total, tries) > certain) {
      const CellTable table =
          cell_table(depth(subject_), depth(base_), screened_cell, options_.threads);
      const LayerMap found = best_layer_map(table);
      if (!found.empty()) {
        map = found;
        total = pooled(map, cell, options_.threads);
        tries = alternatives_ + answers.log10_maps(depth(subject_), depth(base_));
        note_repeats(table);
      }
    }
    Evidence evidence = pairing_evidence("response-pairing/1", "responses", total, tries,
                                         "FFN neurons, by their responses to common tokens,");
    const double p = evidence.log10_p.value_or(0);
    if (blocks_->any_experts() && total.witnesses == 0) {
      evidence.outcome = Outcome::insufficient;
      evidence.because =
          "No answers of experts are at hand of one side; its weights, or a deep part that keeps "
          "them, are needed to pair them.";
    }
    note(std::move(evidence));
    if (p > certain) return false;
    decide("responses", p, map);
    std::erase_if(search_.descent.alignment.layers, [&](const auto& pair) {
      return !stands_out(cell(pair.first, pair.second), answers.choices(pair.first, pair.second));
    });
    search_.descent.alignment.experts =
        indexed_matches(answers, search_.descent.alignment.layers, Seen::answers, options_.threads);
    search_.supporting = search_.descent.alignment.layers.size();
    search_.descent.alignment.hidden_by_index = false;
    search_.descent.reparametrised = true;
    search_.descent.transforms.emplace_back("rotate");
    return true;
  }

  bool by_two_views() {
    if (search_.problem) return false;
    two_view_stage(subject_, base_, options_, alternatives_, search_);
    return search_.stage.has_value();
  }

  bool by_rows() {
    row_stages(subject_, base_, options_, alternatives_, search_);
    return search_.stage.has_value();
  }

  bool widths_need_weights() const {
    return subject_.sketch.architecture.hidden != base_.sketch.architecture.hidden &&
           (subject_.weights == nullptr || base_.weights == nullptr);
  }

  // Hidden sizes differ: sampled indices do not mean the same on both sides.
  bool by_width() {
    if (options_.quick) return false;
    if (search_.all_stages_ran && widths_need_weights()) {
      search_.all_stages_ran = false;
      search_.missing =
          "residual streams of unlike width can only be set against each other by the weights of "
          "both sides";
      return false;
    }
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

  const Side& subject_;
  const Side& base_;
  const CompareOptions& options_;
  LayerPairs pairs_;
  std::shared_ptr<const FfnPairs> blocks_;  // neurons by index, of layers and experts
  double alternatives_;
  Search search_;
};

}  // namespace

Search search(const Side& subject, const Side& base, const CompareOptions& options) {
  return Searcher(subject, base, options).run();
}

}  // namespace pedigree
