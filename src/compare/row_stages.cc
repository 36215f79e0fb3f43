#include "compare/row_stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "compare/couplings.h"
#include "compare/dense.h"
#include "compare/ffn_pairs.h"
#include "compare/recovered_basis.h"
#include "compare/two_view_stage.h"

namespace pedigree {
namespace {

using Outcome = Evidence::Outcome;

// Of the side with fewer neurons, looked up among these of the other (decision 9).
constexpr std::size_t chosen_here = 256;
constexpr std::size_t chosen_there = 768;

std::vector<int> all_layers(std::uint64_t depth) {
  std::vector<int> layers(static_cast<std::size_t>(depth));
  for (std::size_t i = 0; i < layers.size(); ++i) layers[i] = static_cast<int>(i);
  return layers;
}

// Evenly spread where both have as many; otherwise all, or both ends, which is what
// pruning and up-scaling leave in place.
std::vector<int> layers_to_look_at(const Architecture& mine, bool same_depth) {
  const std::size_t most = coupled_layers(mine).size();
  std::vector<int> layers = all_layers(mine.layers);
  if (layers.size() <= most) return layers;
  if (same_depth) return coupled_layers(mine);
  const auto half = static_cast<std::ptrdiff_t>(most / 2);
  layers.erase(layers.begin() + half, layers.end() - half);
  return layers;
}

// Is there a layer of either side that could be one of the other's?
bool any_comparable(const CoupledSide& subject, const CoupledSide& base) {
  return std::ranges::any_of(subject.layers, [&](const CoupledNeurons& mine) {
    return !mine.neurons.empty() &&
           std::ranges::any_of(base.layers, [&](const CoupledNeurons& theirs) {
             return !theirs.neurons.empty() && theirs.gated == mine.gated;
           });
  });
}

bool holds_own_blocks(const Side& side) {
  const auto places = side.weights != nullptr ? ffn_places(*side.weights) : ffn_places(side.sketch);
  return std::ranges::any_of(
      places, [](const FfnPlace& place) { return place.kind == FfnPlace::Kind::dense; });
}

// Rows less what the first explains within each neuron.
NeuronViews views_in_basis(const CoupledNeurons& neurons, Matrix first, Matrix second) {
  NeuronViews views{.place = {.layer = neurons.layer},
                    .neurons = neurons.neurons,
                    .first = std::move(first),
                    .second = std::move(second),
                    .gated = neurons.gated};
  regress_on_first(views.first, views.second);
  return views;
}

class Stages {
 public:
  Stages(const Side& subject, const Side& base, const CompareOptions& options,
         double log10_alternatives, Search& search)
      : subject_(subject),
        base_(base),
        options_(options),
        alternatives_(log10_alternatives),
        search_(search),
        mine_(subject.sketch.architecture),
        theirs_(base.sketch.architecture) {}

  void run() {
    if (mine_.hidden != theirs_.hidden) {
      return note(Outcome::not_applicable,
                  "The two have residual streams of different widths, which no change of basis "
                  "turns into each other.");
    }
    if (!holds_own_blocks(subject_) || !holds_own_blocks(base_)) return not_of_experts();
    for (const Side* side : {&subject_, &base_}) {
      if (const std::string lacking = lacking_in(*side); !lacking.empty()) return without(lacking);
    }
    auto subject = read(subject_);
    auto base = read(base_);
    if (!subject || !base) return give_up(subject ? base.error() : subject.error());
    if (!any_comparable(*subject, *base)) return not_of_experts();
    recovered(*subject, *base);
    if (search_.problem || search_.stage) return;
    for (auto& [neurons, side] : {std::pair(&*subject, &subject_), std::pair(&*base, &base_)}) {
      if (side->weights == nullptr) continue;
      auto problem =
          add_strengths(*side->weights, neurons->layers, options_.threads, options_.progress);
      if (problem) return give_up(*problem);
    }
    coupled(*subject, *base);
  }

 private:
  bool same_depth() const { return mine_.layers == theirs_.layers; }
  bool all_weights() const { return subject_.weights != nullptr && base_.weights != nullptr; }

  // What a fingerprint keeps is few.
  std::size_t chosen_of(const Side& side) const {
    const bool fewer = &side == &subject_ ? mine_.ffn <= theirs_.ffn : mine_.ffn > theirs_.ffn;
    return all_weights() && fewer ? chosen_here : chosen_there;
  }

  void give_up(const Problem& problem) { search_.problem = problem; }

  void note(Outcome outcome, std::string because) {
    search_.evidence.push_back({.statistic = "couplings/1",
                                .outcome = outcome,
                                .stage = "couplings",
                                .because = std::move(because)});
  }

  void not_of_experts() {
    note(Outcome::not_applicable,
         "Couplings need feed-forward blocks of their own in the layers of both sides, gated or "
         "plain on both.");
  }

  // In words; empty where the side has all that couplings need.
  std::string lacking_in(const Side& side) const {
    if (side.weights != nullptr) return {};
    if (!can_be_viewed(side) || !keeps_couplings(side.sketch)) {
      return "couplings between neurons need the weights of both sides, or a fingerprint's deep "
             "part that keeps them";
    }
    const Architecture& architecture = side.sketch.architecture;
    const std::size_t kept = coupled_layers(architecture).size();
    if (same_depth() || kept == architecture.layers) return {};
    return fmt::format(
        "a fingerprint keeps couplings of {} of the {} layers, which say nothing beside a model "
        "of another depth",
        kept, architecture.layers);
  }

  void without(const std::string& lacking) {
    std::string because = lacking + '.';
    because.front() = static_cast<char>(because.front() - 'a' + 'A');
    note(Outcome::insufficient, std::move(because));
    if (!search_.all_stages_ran) return;
    search_.all_stages_ran = false;
    search_.missing = lacking;
  }

  Result<CoupledSide> read(const Side& side) const {
    const Architecture& architecture = side.sketch.architecture;
    if (side.weights == nullptr) {
      return coupled_side(side.sketch.couplings.value_or(StoredCouplings{}),
                          coupled_layers(architecture));
    }
    auto layers = coupled_neurons(
        *side.weights,
        {.layers = layers_to_look_at(architecture, same_depth()), .chosen = chosen_of(side)});
    if (!layers) return std::unexpected(std::move(layers.error()));
    return CoupledSide{.layers = std::move(*layers)};
  }

  bool are_duplicates(int side, int i, int j) {
    if (!among_mine_) {
      among_mine_ =
          std::make_unique<FfnPairs>(search_.blocks->subject(), search_.blocks->subject());
      among_theirs_ = std::make_unique<FfnPairs>(search_.blocks->base(), search_.blocks->base());
    }
    const Cell cell = (side == 0 ? among_mine_ : among_theirs_)->neurons(i, j, true);
    return i != j && cell.units > 0 && 2 * cell.matched >= cell.units;
  }

  std::function<bool(int side, int i, int j)> duplicates() {
    return [this](int side, int i, int j) { return are_duplicates(side, i, j); };
  }

  // Whole rows, the rotation taken back as common tokens show it.
  void recovered(const CoupledSide& subject, const CoupledSide& base) {
    if (!all_weights()) return unrecovered();
    const auto basis = RecoveredBasis::find(*subject_.weights, *base_.weights, options_.threads);
    if (!basis) return give_up(basis.error());
    const std::optional<RecoveredBasis>& found = *basis;
    if (!found) return;  // two-view agreement has said how few tokens there are
    std::vector<NeuronViews> mine;
    mine.reserve(subject.layers.size());
    for (const CoupledNeurons& layer : subject.layers) {
      mine.push_back(
          views_in_basis(layer, found->turned_back(layer.first), found->turned_back(layer.second)));
    }
    std::vector<NeuronViews> theirs;
    theirs.reserve(base.layers.size());
    for (const CoupledNeurons& layer : base.layers) {
      theirs.push_back(views_in_basis(layer, layer.first, layer.second));
    }
    const TwoView seen = two_view(mine, theirs, duplicates(), options_.threads);
    const double p = log10_p_of(seen, alternatives_);
    Evidence evidence = two_view_evidence(
        seen, p,
        fmt::format("the rows of neurons, in the basis that {} common tokens recover,",
                    found->tokens()));
    evidence.statistic = "recovered-view/1";
    search_.evidence.push_back(std::move(evidence));
    tokens_were_asked_ = true;
    judge(seen, p, "two-view", subject, base);
  }

  // Two-view agreement has asked the tokens, but by what was kept of their answers.
  void unrecovered() {
    tokens_were_asked_ = search_.all_stages_ran;
    search_.evidence.push_back(
        {.statistic = "recovered-view/1",
         .outcome = Outcome::insufficient,
         .stage = "two-view",
         .because = "Rows of neurons in a basis that common tokens recover need the weights of "
                    "both sides. Without them a shared set of initial weights behind a rotation "
                    "cannot be seen."});
  }

  void coupled(const CoupledSide& subject, const CoupledSide& base) {
    const Couplings found = couplings(subject, base, same_depth(), duplicates(), options_.threads);
    if (!found.applicable) {
      return note(Outcome::not_applicable,
                  "Couplings need two layers or more with feed-forward blocks of their own, of one "
                  "kind on both sides, and enough matrices to couple to.");
    }
    if (found.seen.control_cells == 0 && !all_weights()) {
      return without(
          "a fingerprint keeps couplings of too few layers to judge a pair of them by the others");
    }
    const double p = log10_p_of(found.seen, alternatives_);
    Evidence evidence = two_view_evidence(
        found.seen, p,
        fmt::format("the couplings of a neuron's two rows to {} neurons of other layers, which "
                    "their couplings to whole matrices propose,",
                    found.anchors));
    evidence.statistic = "couplings/1";
    evidence.stage = "couplings";
    search_.evidence.push_back(std::move(evidence));
    judge(found.seen, p, "couplings", subject, base);
    if (!search_.stage) {
      if (search_.blocks->any_experts()) return;  // which couplings say nothing of
      search_.all_stages_ran = true;
      search_.missing.clear();
      return;
    }
    search_.descent.alignment.tokens_correspond = false;
    if (tokens_were_asked_) search_.descent.transforms.emplace_back("embeddings-replaced");
  }

  void judge(const TwoView& seen, double p, std::string stage, const CoupledSide& subject,
             const CoupledSide& base) {
    if (seen.decides && p <= certain) {
      decide(seen, p, std::move(stage), subject, base);
    } else {
      note_doubt(seen, search_);
    }
  }

  void decide(const TwoView& seen, double p, std::string stage, const CoupledSide& subject,
              const CoupledSide& base) {
    auto everywhere = seen_everywhere(seen, subject, base);
    if (!everywhere) return give_up(everywhere.error());
    take_two_view(*everywhere, std::move(stage), p, search_);
    search_.supporting = seen.map.size();
    search_.all_stages_ran = false;
    search_.missing.clear();
  }

  // All layers, by what was paired in those that were looked at.
  Result<TwoView> seen_everywhere(const TwoView& seen, const CoupledSide& subject,
                                  const CoupledSide& base) {
    if (!all_weights()) return seen;
    const Anchors anchors = anchors_of(seen, subject, base);
    const auto mine = anchored_everywhere(subject_, anchor_rows(subject, anchors.subject));
    if (!mine) return std::unexpected(mine.error());
    const auto theirs = anchored_everywhere(base_, anchor_rows(base, anchors.base));
    if (!theirs) return std::unexpected(theirs.error());
    TwoView all = two_view(*mine, *theirs, duplicates(), options_.threads);
    if (all.map.size() < seen.map.size()) return seen;
    return all;
  }

  Result<std::vector<NeuronViews>> anchored_everywhere(const Side& side,
                                                       const Matrix& anchors) const {
    std::vector<NeuronViews> views;
    for (const int layer : all_layers(side.sketch.architecture.layers)) {
      const auto one =
          coupled_neurons(*side.weights, {.layers = {layer}, .chosen = chosen_of(side)});
      if (!one) return std::unexpected(one.error());
      views.push_back(anchored_views(one->front(), anchors, options_.threads));
    }
    return views;
  }

  const Side& subject_;
  const Side& base_;
  const CompareOptions& options_;
  double alternatives_;
  Search& search_;
  const Architecture& mine_;
  const Architecture& theirs_;
  bool tokens_were_asked_ = false;
  std::unique_ptr<FfnPairs> among_mine_;  // made when duplicates are asked for
  std::unique_ptr<FfnPairs> among_theirs_;
};

}  // namespace

void row_stages(const Side& subject, const Side& base, const CompareOptions& options,
                double log10_alternatives, Search& search) {
  if (options.quick || search.problem || search.stage) return;
  Stages(subject, base, options, log10_alternatives, search).run();
}

}  // namespace pedigree
