#include "compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "compare/context.h"
#include "compare/coverage.h"
#include "compare/expert_alignment.h"
#include "compare/identity.h"
#include "compare/kind.h"
#include "compare/moved_neurons.h"
#include "compare/nets.h"
#include "compare/origin.h"
#include "compare/power.h"
#include "compare/search.h"
#include "compare/storage.h"
#include "compare/summary.h"
#include "compare/tensor_rows.h"
#include "compare/width.h"

namespace pedigree {
namespace {

using Outcome = Evidence::Outcome;

constexpr std::size_t fewest_supporting = 3;  // layers or groups for a `yes`

std::uint64_t block_parameters(const Fingerprint& sketch) {
  std::uint64_t total = 0;
  for (const Block& block : sketch.blocks) total += block.full_rows * block.full_cols;
  return total;
}

// Of a model whose layers hold no matrix that blocks are made of, tables of tokens tell less than
// the layers' own kernels do.
bool without_roles(const Side& side) {
  const Fingerprint& sketch = side.sketch;
  const bool only_tables =
      side.weights != nullptr && sketch.architecture.layers > 0 &&
      std::ranges::none_of(sketch.blocks, [](const Block& block) { return block.layer >= 0; });
  return sketch.blocks.empty() || only_tables;
}

// Why the pair cannot be judged at all, or "".
std::string unjudgeable(const Side& subject, const Side& base) {
  for (const Side* side : {&subject, &base}) {
    if (auto why = why_unjudgeable(*side); !why.empty()) return why;
  }
  if (subject.sketch.scheme != base.sketch.scheme) {
    return "the fingerprints were made by different schemes";
  }
  return {};
}

class Comparer {
 public:
  Comparer(const Side& subject, const Side& base, const CompareOptions& options)
      : subject_(subject), base_(base), options_(options) {}

  Comparison run() {
    result_.subject = subject_.sketch.name;
    result_.base = base_.sketch.name;
    answer_context();
    why_not_ = unjudgeable(subject_, base_);
    if (!why_not_.empty()) {
      if (find_content() && result_.verdict.derived == "yes") why_not_.clear();
    } else if (!find_content()) {
      why_not_.clear();
      found_ = search(subject_, base_, options_);
      result_.evidence = std::move(found_.evidence);
      if (found_.problem) {
        give_up(*found_.problem);
      } else if (found_.stage) {
        judge_related();
      } else {
        judge_unrelated();
        if (result_.verdict.derived == "inconclusive" && is_of_shapes()) find_nets();
      }
    }
    finish();
    return std::move(result_);
  }

 private:
  void answer_context() {
    pedigree::answer_context(subject_, base_, result_);
    const Architecture& mine = subject_.sketch.architecture;
    const Architecture& theirs = base_.sketch.architecture;
    if (mine.renames != theirs.renames || mine.roles_from != theirs.roles_from) {
      rename_ = true;
    }
  }

  // Without roles: the same tensors under whatever names are the same model all the same.
  bool find_content() {
    const auto adapter = [](const Side& side) {
      return side.weights != nullptr && side.weights->is_adapter;
    };
    if (!without_roles(subject_) || !without_roles(base_) || adapter(subject_) || adapter(base_)) {
      return false;
    }
    auto looked = identity_by_content(subject_, base_, options_);
    if (!looked) {
      result_.problems.push_back(std::move(looked.error()));
      return false;
    }
    std::optional<Identity>& identity = *looked;
    if (!identity) return find_nets();
    result_.evidence.push_back(std::move(identity->evidence));
    result_.transforms = std::move(identity->transforms);
    result_.verdict.relation = "identical";
    result_.verdict.mechanisms = {"identical"};
    result_.verdict.derived = "yes";
    found_.stage = "digests";
    return true;
  }

  // Kernels of a net nobody knows. False when that says less than the lack of roles does.
  bool find_nets() {
    if (subject_.weights == nullptr || base_.weights == nullptr || options_.quick) return false;
    auto looked = compare_nets(*subject_.weights, *base_.weights, options_);
    if (!looked) {
      result_.problems.push_back(std::move(looked.error()));
      return false;
    }
    NetFindings& found = *looked;
    std::ranges::move(found.evidence, std::back_inserter(result_.evidence));
    result_.rows = std::move(found.rows);
    why_not_ = std::move(found.because);
    if (found.relation.empty()) return false;
    result_.transforms = std::move(found.transforms);
    result_.changed_tensors = std::move(found.changed_tensors);
    result_.verdict.relation = found.relation;
    result_.verdict.mechanisms = {found.relation};
    result_.verdict.derived = found.derived;
    result_.verdict.stage = found.stage;
    result_.verdict.log10_p = found.log10_p;
    result_.verdict.coverage = found.coverage;
    result_.verdict.power_cosine = found.power_cosine;
    result_.verdict.power_in_place = found.power_cosine.has_value();
    of_nets_ = true;
    return true;
  }

  // A tower or net of no known family, whose blocks showed by their shapes and whose answers are
  // no tokens. It may be judged by kernels as well; and what gains show was measured on language
  // models (decision 19).
  bool is_of_shapes() const {
    constexpr std::uint64_t fewest_tokens = 256;  // one for each byte
    const auto by_shapes = [](const Fingerprint& sketch) {
      return sketch.architecture.roles_from == "shapes" &&
             sketch.architecture.vocab < fewest_tokens;
    };
    return by_shapes(subject_.sketch) && by_shapes(base_.sketch);
  }

  void give_up(const Problem& problem) {
    why_not_ = problem.message;
    result_.problems.push_back(problem);
  }

  void judge_related() {
    Descent& descent = found_.descent;
    result_.layer_map = descent.alignment.layers;
    find_flipped_signs(subject_, base_, descent, options_.threads);
    if (auto problem = find_narrower(descent)) return give_up(*problem);
    if (auto problem = find_neurons(descent)) return give_up(*problem);
    if (!is_equal_anyway(descent) && !tell_origin(descent)) return;
    result_.verdict.derived = "yes";
    descent.only_a_part = is_only_a_part(descent);
    auto kind = kind_of(subject_, base_, descent, options_);
    if (!kind) {
      result_.verdict.derived = "inconclusive";
      return give_up(kind.error());
    }
    take(std::move(*kind));
  }

  // Equal tensors settle descent without a statistic on gains.
  bool is_equal_anyway(const Descent& descent) {
    const auto all = changes(subject_, base_, descent.alignment);
    if (!all || !any_equal_matrix(*all)) return false;
    std::uint64_t values = 0;
    std::set<std::string> roles;
    for (const Change& change : *all) {
      if (!change.subject_is_rounded && !change.base_is_rounded) continue;
      values += change.base.values.size();
      if (!change.is_vector && change.informative) roles.insert(change.role);
    }
    result_.evidence.push_back(
        {.statistic = "equal-sample/1",
         .outcome = Outcome::measured,
         .value = static_cast<double>(values),
         .null = Evidence::Null::digest,
         .samples = values,
         .stage = found_.stage.value_or(""),
         .because = fmt::format("{} sampled values of informative matrices ({}) are equal to the "
                                "last bit, or the other side's rounded into the stored type.",
                                values, fmt::join(roles, ", "))});
    return true;
  }

  bool is_only_a_part(const Descent& descent) const {
    const auto depth =
        std::min(subject_.sketch.architecture.layers, base_.sketch.architecture.layers);
    return found_.supporting < fewest_supporting || ffn_is_new_ ||
           2 * descent.alignment.layers.size() < depth;
  }

  // Fewer residual dimensions or heads on one side: which were kept?
  std::optional<Problem> find_narrower(Descent& descent) {
    auto width = find_width(subject_, base_, descent.alignment.layers, options_.threads);
    if (!width) return std::move(width.error());
    auto& narrower = *width;
    if (!narrower) return std::nullopt;
    auto evidence = take_width(descent, std::move(*narrower), subject_.sketch.architecture,
                               base_.sketch.architecture);
    // The residual stream is one more group that speaks for it.
    if (!evidence.empty() && evidence.front().log10_p <= -4) ++found_.supporting;
    std::ranges::move(evidence, std::back_inserter(result_.evidence));
    return std::nullopt;
  }

  // Residual coordinates agree; do the neurons too, or where did they go?
  std::optional<Problem> find_neurons(Descent& descent) {
    if (has_experts(subject_.sketch) || has_experts(base_.sketch)) return find_experts(descent);
    auto found = find_moved_neurons(subject_, base_, descent, options_.threads);
    if (!found) return std::move(found.error());
    ffn_is_new_ = found->ffn_is_new;
    std::ranges::move(found->evidence, std::back_inserter(result_.evidence));
    return std::nullopt;
  }

  std::optional<Problem> find_experts(Descent& descent) {
    auto aligned = align_experts(subject_, base_, descent.alignment, options_);
    if (!aligned) return std::move(aligned.error());
    std::ranges::for_each(aligned->lookups, [this](Evidence& each) { note_once(std::move(each)); });
    descent.experts = std::move(aligned->findings);
    std::ranges::move(descent.experts.evidence, std::back_inserter(result_.evidence));
    ffn_is_new_ = !descent.experts.carried;
    return std::nullopt;
  }

  // The search may have looked neurons up before.
  void note_once(Evidence evidence) {
    const auto at = std::ranges::find(result_.evidence, evidence.statistic, &Evidence::statistic);
    if (at == result_.evidence.end()) result_.evidence.push_back(std::move(evidence));
  }

  // Descent, or only the same initial weights? False when that stays open.
  bool tell_origin(const Descent& descent) {
    auto origin = descent.alignment.hidden_by_index
                      ? indexed_origin(subject_, base_, descent.alignment)
                      : unrotated_origin(subject_, base_, descent.alignment, options_.threads);
    // Gains folded into the matrices behind them, or a quantiser's scales folded into
    // the gains: only their products still tell.
    if (origin && !origin->descent && descent.alignment.hidden_by_index &&
        subject_.weights != nullptr && base_.weights != nullptr) {
      auto folded = unrotated_origin(subject_, base_, descent.alignment, options_.threads);
      if (!folded || folded->descent || !origin->gains) origin = std::move(folded);
    }
    if (!origin) {
      give_up(origin.error());
      return false;
    }
    note_origin(*origin);
    if (origin->descent && !is_of_shapes()) return true;
    result_.verdict.relation = "common-origin";
    result_.verdict.mechanisms = {"common-origin"};
    why_not_ = origin->descent
                   ? "in nets of no known family a shared seed gives gains like descent's"
                   : origin_in_words(*origin);
    return false;
  }

  void note_origin(const Origin& origin) {
    Evidence evidence{.statistic = "common-origin/1", .stage = found_.stage.value_or("")};
    evidence.outcome = origin.measured ? Outcome::measured : Outcome::insufficient;
    evidence.value = origin.gains.value_or(0);
    evidence.samples = subject_.sketch.gains.size();
    evidence.because = "Descent or a shared seed: " + origin_in_words(origin) + ".";
    result_.evidence.push_back(std::move(evidence));
  }

  void take(Kind kind) {
    Verdict& verdict = result_.verdict;
    verdict.relation = kind.relation;
    verdict.mechanisms = std::move(kind.mechanisms);
    verdict.direction = std::move(kind.direction);
    verdict.direction_because = std::move(kind.direction_because);
    result_.transforms = std::move(kind.transforms);
    result_.lora = std::move(kind.lora);
    result_.kept = kind.kept;
    result_.experts = std::move(kind.experts);
    result_.change = std::move(kind.change);
    result_.changed_tensors = std::move(kind.changed_tensors);
    std::ranges::move(kind.evidence, std::back_inserter(result_.evidence));
    equal_on_sample_only_ = kind.equal_on_sample_only;
    const std::vector<std::string> storage = storage_transforms(subject_, base_);
    result_.transforms.insert(result_.transforms.begin(), storage.begin(), storage.end());
    if (rename_) result_.transforms.insert(result_.transforms.begin(), "rename");
    if (found_.descent.only_a_part && verdict.relation != "partial-reuse" &&
        found_.supporting < fewest_supporting) {
      verdict.relation = "partial-reuse";
    }
  }

  // Nothing stood out: is that because there is nothing, or could it not show?
  void judge_unrelated() {
    if (!found_.all_stages_ran) {
      why_not_ =
          found_.missing.empty() ? "not every stage that applies could be run" : found_.missing;
      return;
    }
    if (!found_.doubt.empty()) {
      why_not_ = found_.doubt;
      return;
    }
    const auto power = found_.power ? found_.power : simulated_power();
    if (!power) {
      why_not_ = "the models are too small or share too few sampled units for a power statement";
      return;
    }
    result_.verdict.power_cosine = power;
    result_.verdict.power_in_place = found_.power.has_value() && found_.power_in_place;
    result_.verdict.relation = "independent";
    result_.verdict.mechanisms = {"independent"};
    result_.verdict.derived = "no";
  }

  // Where signs are not free: by pairing, under any order of the layers.
  std::optional<double> simulated_power() const {
    std::vector<Witness> witnesses;
    const auto depth = static_cast<int>(
        std::min(subject_.sketch.architecture.layers, base_.sketch.architecture.layers));
    const auto add_witnesses = [&](const FfnPairs& blocks) {
      for (int i = 0; i < depth; ++i) {
        auto witness = blocks.witness(i, i);
        if (witness) witnesses.push_back(std::move(*witness));
      }
      return blocks.log10_maps(static_cast<int>(subject_.sketch.architecture.layers),
                               static_cast<int>(base_.sketch.architecture.layers));
    };
    double map_tries = add_witnesses(*found_.blocks);
    // Samples of blocks of unlike size may share too little, where answers do not.
    if (witnesses.empty() && found_.answered) map_tries = add_witnesses(*found_.answered);
    return power_of(
        witnesses,
        certain - map_tries -
            std::log10(static_cast<double>(std::max<std::uint64_t>(1, options_.alternatives))));
  }

  void finish() {
    Verdict& verdict = result_.verdict;
    if (of_nets_) {
      verdict.summary = summary_of(result_, false, why_not_);
      return;
    }
    if (found_.stage) {
      verdict.stage = *found_.stage;
      if (*found_.stage != "digests") verdict.log10_p = found_.log10_p;
    } else if (verdict.derived == "no") {
      verdict.stage = deepest_stage();
      verdict.log10_p = smallest_p();
    }
    const LayerMap map =
        result_.layer_map.empty() ? identity_map(subject_.sketch, base_.sketch) : result_.layer_map;
    verdict.coverage =
        verdict.stage == "digests" ? 1 : coverage_of(subject_.sketch, base_.sketch, map);
    if (options_.details && result_.rows.empty()) {
      const Alignment shown{.layers = map, .experts = found_.descent.alignment.experts};
      auto rows = tensor_rows(subject_, base_, shown, result_.change, options_);
      if (rows) {
        result_.rows = std::move(*rows);
      } else {
        result_.problems.push_back(std::move(rows.error()));
      }
    }
    verdict.summary = summary_of(result_, equal_on_sample_only_, why_not_);
  }

  // Of a clean bill: couplings where they apply.
  std::string deepest_stage() const {
    const bool coupled = std::ranges::any_of(result_.evidence, [](const Evidence& each) {
      return each.stage == "couplings" && each.outcome == Evidence::Outcome::measured;
    });
    return coupled ? "couplings" : "two-view";
  }

  // What the stages that ran saw, paid for by the number of groups.
  double smallest_p() const {
    double smallest = 0;
    for (const Evidence& evidence : result_.evidence) {
      if ((evidence.null == Evidence::Null::exact || evidence.null == Evidence::Null::bound) &&
          evidence.log10_p) {
        smallest = std::min(smallest, *evidence.log10_p);
      }
    }
    return std::min(0.0, smallest + std::log10(group_count));
  }

  const Side& subject_;
  const Side& base_;
  const CompareOptions& options_;
  Comparison result_;
  Search found_;
  std::string why_not_;
  bool rename_ = false;
  bool of_nets_ = false;  // without roles
  bool ffn_is_new_ = false;
  bool equal_on_sample_only_ = false;
};

}  // namespace

std::string why_unjudgeable(const Side& side) {
  const std::string& name = side.sketch.name;
  if (side.weights != nullptr && side.weights->is_adapter) {
    return fmt::format("{} is an adapter without its base", name);
  }
  const auto any = [&](auto test) { return std::ranges::any_of(side.sketch.moments, test); };
  if (side.sketch.blocks.empty() && !side.sketch.moments.empty() && !any(&Moments::finite)) {
    return fmt::format("no matrix of {} holds finite numbers alone", name);
  }
  if (side.sketch.blocks.empty()) {
    return side.weights != nullptr && !side.weights->canonical.empty()
               ? fmt::format("no matrix of {} is stored as numbers that can be compared", name)
               : fmt::format("no matrices of {} could be given a role", name);
  }
  if (block_parameters(side.sketch) < fewest_parameters) {
    return fmt::format("{} has under a thousand informative parameters", name);
  }
  const bool finite_values = any([](const Moments& m) { return m.finite && m.distinct > 16; });
  if (!finite_values && !side.sketch.moments.empty()) {
    return fmt::format("{} holds constants only", name);
  }
  return {};
}

Comparison compare(const Side& subject, const Side& base, const CompareOptions& options) {
  return Comparer(subject, base, options).run();
}

}  // namespace pedigree
