#include "compare/nets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "compare/bounds.h"
#include "compare/dense.h"
#include "compare/kind.h"
#include "compare/net_folding.h"
#include "compare/net_kernels.h"
#include "compare/origin.h"
#include "compare/search.h"
#include "compare/witness.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_kernels = 3;  // for a `yes`

using Outcome = Evidence::Outcome;

class NetComparer {
 public:
  NetComparer(const Model& subject, const Model& base, NetPairs pairs,
              const CompareOptions& options)
      : subject_(subject), base_(base), pairs_(std::move(pairs)), options_(options) {}

  NetFindings find() {
    found_.coverage = pairs_.parameters == 0
                          ? 0
                          : std::round(static_cast<double>(pairs_.paired) /
                                       static_cast<double>(pairs_.parameters) * 1e4) /
                                1e4;
    if (pairs_.paired < fewest_parameters) {
      found_.because = "they have under a thousand parameters in tensors of equal shape";
      return std::move(found_);
    }
    if (options_.details) list_tensors();
    if (find_equal() || find_frozen()) return std::move(found_);
    kernels_ = hidden_kernels(subject_, pairs_);
    find_pairing();
    if (found_.log10_p && *found_.log10_p <= certain) {
      judge_kin();
    } else if (found_.because.empty()) {
      found_.because =
          "no kernels of equal places share weights as far as could be seen, and whether channels "
          "were dealt anew was not looked into";
    }
    return std::move(found_);
  }

 private:
  const std::string& name_of(const NetPair& pair) const {
    return subject_.tensors[pair.subject].entry.name;
  }

  // Every tensor of the subject, those without a counterpart too.
  void list_tensors() {
    std::map<std::size_t, const NetPair*> paired;
    for (const NetPair& pair : pairs_.pairs) paired.emplace(pair.subject, &pair);
    for (std::size_t i = 0; i < subject_.tensors.size(); ++i) {
      TensorRow row{.name = subject_.tensors[i].entry.name, .state = "unmatched"};
      if (const auto at = paired.find(i); at != paired.end()) {
        const NetPair& pair = *at->second;
        row.base_name = base_.tensors[pair.base].entry.name;
        row.state = !is_informative(pair) ? "uninformative" : pair.equal ? "equal" : "changed";
        if (are_finite(pair)) row.relative_delta = relative_delta(pair);
      }
      found_.rows.push_back(std::move(row));
    }
  }

  void name_transforms() {
    if (pairs_.renamed) found_.transforms.emplace_back("rename");
    if (std::ranges::any_of(pairs_.pairs, &NetPair::turned)) {
      found_.transforms.emplace_back("transpose");
    }
  }

  // Every tensor of both is there and equal.
  bool find_equal() {
    const bool whole = pairs_.mine_alone == 0 && pairs_.theirs_alone == 0;
    if (!whole || !std::ranges::all_of(pairs_.pairs, &NetPair::equal)) return false;
    if (std::ranges::none_of(pairs_.pairs, is_informative)) return false;
    found_.relation = "identical";
    found_.derived = "yes";
    found_.stage = "digests";
    found_.coverage = 1;
    found_.evidence.push_back(
        {.statistic = "equal-tensors/1",
         .outcome = Outcome::measured,
         .value = static_cast<double>(pairs_.pairs.size()),
         .null = Evidence::Null::digest,
         .samples = pairs_.paired,
         .stage = "digests",
         .because = fmt::format("Every tensor holds the same values in both ({} in all, {} in "
                                "another order of axes).",
                                pairs_.pairs.size(),
                                std::ranges::count_if(pairs_.pairs, &NetPair::turned))});
    name_transforms();
    return true;
  }

  // Kernels kept from training, more than strangers could share as tables: at least three, and
  // half of all parameters.
  bool find_frozen() {
    const auto kernels = frozen_kernels(pairs_);
    std::uint64_t values = 0;
    for (const NetPair* kernel : kernels) values += kernel->mine.size();
    if (kernels.size() < fewest_kernels || 2 * values < pairs_.parameters) return false;
    const bool whole = pairs_.mine_alone == 0 && pairs_.theirs_alone == 0;
    found_.relation = whole ? "partial-finetune" : "partial-reuse";
    found_.derived = "yes";
    found_.stage = "digests";
    for (const NetPair& pair : pairs_.pairs) {
      if (!pair.equal) found_.changed_tensors.push_back(name_of(pair));
    }
    found_.evidence.push_back(
        {.statistic = "equal-tensors/1",
         .outcome = Outcome::measured,
         .value = static_cast<double>(kernels.size()),
         .null = Evidence::Null::digest,
         .samples = values,
         .stage = "digests",
         .because = fmt::format("{} kernels, {} of {} parameters, hold the same values in both.",
                                kernels.size(), values, pairs_.parameters)});
    name_transforms();
    return true;
  }

  void find_pairing() {
    Evidence evidence{.statistic = "kernel-pairing/1", .stage = "aligned"};
    const auto groups = grouped(kernels_);
    std::uint64_t matched = 0;
    std::uint64_t units = 0;
    std::size_t witnesses = 0;
    for (const auto& [unused, group] : groups) {
      const Witness witness = witness_of(group);
      if (witness.units < fewest_units) continue;
      ++witnesses;
      units += witness.units;
      matched += matched_count(similarity(witness), witnesses);
    }
    if (witnesses == 0) {
      evidence.because = "No hidden kernel has sixteen channels that differ.";
      found_.because = "no hidden kernel has sixteen channels that could be paired";
      found_.evidence.push_back(std::move(evidence));
      return;
    }
    const double tries =
        std::log10(static_cast<double>(std::max<std::uint64_t>(1, options_.alternatives)));
    found_.log10_p = std::min(0.0, log10_pooled_matches(matched, witnesses) + tries);
    evidence.outcome = Outcome::measured;
    evidence.value = static_cast<double>(matched);
    evidence.log10_p = found_.log10_p;
    evidence.null = Evidence::Null::exact;
    evidence.samples = units;
    evidence.because = fmt::format(
        "{} of {} channels, in {} hidden kernels with {} numberings, are paired with the channel "
        "of "
        "their own number; chance pairs about one a numbering.",
        matched, units, kernels_.size(), witnesses);
    found_.evidence.push_back(std::move(evidence));
  }

  void judge_kin() {
    found_.stage = "aligned";
    name_transforms();
    const Origin origin = origin_of();
    found_.evidence.push_back(origin_evidence(origin));
    const auto kin =
        std::ranges::count_if(kernels_, [](const Kernel& each) { return each.cosine() > 0.5; });
    if (!origin.descent || static_cast<std::size_t>(kin) < fewest_kernels) {
      found_.relation = "common-origin";
      found_.because = origin_in_words(origin);
      return;
    }
    found_.derived = "yes";
    found_.relation = relation_by_change();
  }

  std::string relation_by_change() {
    std::vector<double> changes;
    std::size_t equal = 0;
    for (const NetPair& pair : pairs_.pairs) {
      if (pair.shape.size() < 2 || !is_informative(pair) || !are_finite(pair)) continue;
      equal += pair.equal ? 1U : 0U;
      changes.push_back(relative_delta(pair));
      if (!pair.equal) found_.changed_tensors.push_back(name_of(pair));
    }
    if (equal > 0) return "partial-finetune";
    found_.changed_tensors.clear();
    return median(changes) <= fine_tune_limit ? "finetune" : "continued-pretraining";
  }

  // The same two questions as for families: do gains agree, and strong directions?
  Origin origin_of() const {
    Origin origin;
    std::vector<double> gains;
    std::size_t widest = 0;
    for (const NetPair& pair : pairs_.pairs) {
      if (!is_gain(subject_.tensors[pair.subject].entry, pair)) continue;
      const std::vector<double> mine(pair.mine.begin(), pair.mine.end());
      const std::vector<double> theirs(pair.theirs.begin(), pair.theirs.end());
      gains.push_back(rank_correlation(mine, theirs));
      widest = std::max(widest, mine.size());
    }
    std::vector<double> ratios;
    std::vector<double> cosines;
    for (const Kernel& kernel : kernels_) {
      cosines.push_back(kernel.cosine());
      const double there = spectrum_ratio(kernel.theirs, kernel.mine);
      const double back = spectrum_ratio(kernel.mine, kernel.theirs);
      if (there > 0 && back > 0) ratios.push_back(std::sqrt(there * back));
    }
    origin.row_cosine = median(cosines);
    if (gains.size() < fewest_kernels || ratios.size() < fewest_kernels) return origin;
    origin.measured = true;
    origin.gains = median(gains);
    origin.spectrum = median(ratios);
    origin.chance = 1 / std::sqrt(static_cast<double>(widest) - 1);
    decide(origin);
    return origin;
  }

  Evidence origin_evidence(const Origin& origin) const {
    return {.statistic = "common-origin/1",
            .outcome = origin.measured ? Outcome::measured : Outcome::insufficient,
            .value = origin.gains.value_or(0),
            .samples = kernels_.size(),
            .stage = "aligned",
            .because = "Descent or a shared seed: " + origin_in_words(origin) + "."};
  }

  const Model& subject_;
  const Model& base_;
  NetPairs pairs_;
  std::vector<Kernel> kernels_ = {};
  const CompareOptions& options_;
  NetFindings found_;
};

void name_computed(const ComputedNets& computed, NetFindings& found) {
  if (found.relation.empty()) return;
  found.transforms.insert(found.transforms.end(), computed.transforms.begin(),
                          computed.transforms.end());
  for (Evidence& evidence : found.evidence) {
    if (computed.agreeing == 0 || evidence.statistic != "equal-tensors/1") continue;
    evidence.because += fmt::format(
        " {} of them were computed from what one side stores, and are the other's but for "
        "rounding.",
        computed.agreeing);
  }
}

}  // namespace

Result<NetFindings> compare_nets(const Model& subject, const Model& base,
                                 const CompareOptions& options) {
  const auto computed = computed_nets(subject, base);
  if (!computed) return std::unexpected(computed.error());
  const Model& mine = computed->subject ? *computed->subject : subject;
  const Model& theirs = computed->base ? *computed->base : base;
  auto pairs = pair_tensors(mine, theirs, computed->pairs);
  if (!pairs) return std::unexpected(std::move(pairs.error()));
  NetFindings found = NetComparer(mine, theirs, std::move(*pairs), options).find();
  name_computed(*computed, found);
  return found;
}

}  // namespace pedigree
