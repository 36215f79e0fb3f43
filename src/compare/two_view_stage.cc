#include "compare/two_view_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "compare/bounds.h"
#include "compare/ffn_pairs.h"
#include "compare/kept_experts.h"
#include "compare/neuron_views.h"

namespace pedigree {
namespace {

using Outcome = Evidence::Outcome;
bool has_neurons(const std::vector<NeuronViews>& views) {
  return std::ranges::any_of(views,
                             [](const NeuronViews& block) { return !block.neurons.empty(); });
}

bool any_gated(const std::vector<NeuronViews>& views) {
  return std::ranges::any_of(
      views, [](const NeuronViews& block) { return !block.neurons.empty() && block.gated; });
}

bool any_plain(const std::vector<NeuronViews>& views) {
  return std::ranges::any_of(
      views, [](const NeuronViews& block) { return !block.neurons.empty() && !block.gated; });
}

// Can no block of one be a block of the other?
bool differently_built(const ViewsOfBoth& views) {
  return !(any_gated(views.subject) && any_gated(views.base)) &&
         !(any_plain(views.subject) && any_plain(views.base));
}

std::vector<FfnMatch> matches_of(const TwoView& seen) {
  std::vector<FfnMatch> matches;
  matches.reserve(seen.blocks.size());
  std::ranges::transform(seen.blocks, std::back_inserter(matches), match_of);
  return matches;
}

class Stage {
 public:
  Stage(const Side& subject, const Side& base, const CompareOptions& options,
        double log10_alternatives, Search& search)
      : subject_(subject),
        base_(base),
        options_(options),
        alternatives_(log10_alternatives),
        search_(search) {}

  void run() {
    if (options_.quick) {
      search_.missing = "deep stages were left out by --quick";
      return;
    }
    for (const Side* side : {&subject_, &base_}) {
      if (!can_be_viewed(*side)) return not_kept(*side);
    }
    const CommonTokens tokens = common_tokens(subject_.sketch, base_.sketch);
    if (tokens.subject_rows.size() < fewest_shared) return too_few_tokens(tokens);
    const auto views = views_of_both(subject_, base_, tokens, options_);
    if (!views) {
      search_.problem = views.error();
      return;
    }
    if (!has_neurons(views->subject) || !has_neurons(views->base)) return unreadable();
    if (differently_built(*views)) return built_differently();
    compare_views(*views);
  }

 private:
  void not_kept(const Side& side) {
    search_.missing = has_experts(side.sketch) && !side.sketch.deep_scheme.empty()
                          ? "a fingerprint of an earlier kind, which keeps no answers of "
                            "experts, was all there was of one side"
                          : "a fingerprint without its deep part was all there was of one side";
  }

  void note(Outcome outcome, std::string because) {
    search_.evidence.push_back({.statistic = "two-view/1",
                                .outcome = outcome,
                                .stage = "two-view",
                                .because = std::move(because)});
  }

  void too_few_tokens(const CommonTokens& tokens) {
    note(
        Outcome::insufficient,
        fmt::format("Only {} sampled tokens are in both vocabularies; two-view agreement needs {}.",
                    tokens.subject_rows.size(), fewest_shared));
    search_.missing = "the two vocabularies share too few sampled tokens for two-view agreement";
  }

  void unreadable() {
    note(Outcome::not_applicable,
         "Two-view agreement needs an MLP in every layer, gated or plain, and a token embedding on "
         "both sides.");
    search_.missing = "one side has no MLP that two-view agreement could read";
  }

  // A plain MLP cannot be a gated one under another name.
  void built_differently() {
    note(Outcome::not_applicable,
         "One side's MLPs are gated and the other's are not: no change that keeps what a model "
         "computes turns one into the other.");
    search_.all_stages_ran = true;
  }

  void compare_views(const ViewsOfBoth& views) {
    const FfnPairs among_mine(search_.blocks->subject(), search_.blocks->subject());
    const FfnPairs among_theirs(search_.blocks->base(), search_.blocks->base());
    const auto duplicates = [&](int side, int i, int j) {
      const Cell cell = (side == 0 ? among_mine : among_theirs).neurons(i, j, true);
      return i != j && cell.units > 0 && 2 * cell.matched >= cell.units;
    };
    const TwoView seen = two_view(views.subject, views.base, duplicates, options_.threads);
    const bool gated = any_gated(views.subject) && any_gated(views.base);
    judge(seen, gated ? "gate and up responses" : "what a neuron reads and what it writes");
    if (search_.stage) return;
    search_.missing = kept_too_little(subject_, base_, views);
    if (search_.missing.empty() && seen.control_cells == 0 && go_by_kept_answers(subject_, base_)) {
      search_.missing =
          "a fingerprint keeps answers of too few layers to judge a pair of them by the others";
    }
    search_.all_stages_ran = search_.missing.empty();
  }

  void judge(const TwoView& seen, std::string_view views) {
    const double p = log10_p_of(seen, alternatives_);
    search_.evidence.push_back(two_view_evidence(seen, p, views));
    if (seen.decides && p <= certain) {
      take_two_view(seen, "two-view", p, search_);
    } else {
      note_doubt(seen, search_);
    }
  }

  const Side& subject_;
  const Side& base_;
  const CompareOptions& options_;
  double alternatives_;
  Search& search_;
};

}  // namespace

double log10_p_of(const TwoView& seen, double log10_alternatives) {
  std::size_t agreeing = 0;
  for (const auto& pairs : seen.neurons) agreeing += pairs.size();
  const double tries = log10_alternatives + seen.log10_maps;
  return std::min(0.0, log10_pooled_matches(agreeing, seen.map.size()) + tries);
}

Evidence two_view_evidence(const TwoView& seen, double log10_p, std::string_view views) {
  const std::string controls = fmt::format(
      "between the {} layer pairs that cannot correspond at most {} agree, and {} are asked for",
      seen.control_cells, seen.control, seen.needed);
  Evidence evidence{.statistic = "two-view/1", .outcome = Outcome::measured, .stage = "two-view"};
  evidence.value = static_cast<double>(seen.smallest);
  evidence.log10_p = log10_p;
  evidence.null = Evidence::Null::assumed;
  evidence.samples = seen.looked_at;
  evidence.because =
      seen.map.empty()
          ? fmt::format("In no layer do {} name the same partner for enough of {} neurons; {}.",
                        views, seen.looked_at, controls)
          : fmt::format(
                "In {} of {} layers {} independently name the same partner for at least {} "
                "of {} neurons; {}.",
                seen.map.size(), seen.mapped, views, seen.smallest, seen.looked_at, controls);
  return evidence;
}

void note_doubt(const TwoView& seen, Search& search) {
  if (!search.doubt.empty() || !leaves_doubt(seen)) return;
  search.doubt = fmt::format(
      "up to {} of {} neurons of a layer are recognised twice over where unrelated models agree on "
      "{} at most, but too few or in too few layers to be sure",
      seen.largest, seen.looked_at, std::max(recorded_independent_maximum, seen.control));
}

void take_two_view(const TwoView& seen, std::string stage, double log10_p, Search& search) {
  search.stage = std::move(stage);
  search.log10_p = log10_p;
  search.assumed_null = true;
  search.supporting = seen.map.size();
  Descent& descent = search.descent;
  descent.alignment.layers = seen.map;
  if (search.blocks->any_experts()) descent.alignment.experts = matches_of(seen);
  descent.alignment.neurons = seen.neurons;
  descent.alignment.neurons_by_index = false;
  descent.alignment.hidden_by_index = false;
  descent.reparametrised = true;
  descent.transforms = {"neuron-permute", "rotate"};
  std::vector<int> base_layers;
  for (const auto& [a, b] : seen.map) base_layers.push_back(b);
  std::ranges::sort(base_layers);
  descent.subject_repeats_layers = std::ranges::adjacent_find(base_layers) != base_layers.end();
  descent.base_repeats_layers = seen.base_repeats && !descent.subject_repeats_layers;
}

void two_view_stage(const Side& subject, const Side& base, const CompareOptions& options,
                    double log10_alternatives, Search& search) {
  Stage(subject, base, options, log10_alternatives, search).run();
}

}  // namespace pedigree
