#include "compare/nets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include "compare/bounds.h"
#include "compare/dense.h"
#include "compare/kind.h"
#include "compare/net_channels.h"
#include "compare/net_folding.h"
#include "compare/net_gates.h"
#include "compare/net_kernels.h"
#include "compare/net_tables.h"
#include "compare/search.h"
#include "compare/witness.h"

namespace pedigree {
namespace {

constexpr std::size_t fewest_kernels = 3;  // for a `yes`
constexpr double faint_pairing = -4;       // log10 p

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
    const bool kin = found_.log10_p && *found_.log10_p <= certain;
    ChannelFindings channels = find_channels(subject_, pairs_, options_);
    found_.evidence.push_back(channels.evidence);
    if (channels.equal && is_enough(channels.refit)) {
      judge_reparametrised(channels);
    } else if (kin) {
      found_.stage = "aligned";
      name_transforms();
      judge_kin();
    } else if (channels.kin) {
      judge_redealt_kin(channels);
    } else {
      judge_unrelated(channels);
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
        const bool says_nothing =
            !is_informative(pair) || (pair.equal && pair.shape.size() > 1 && is_computed(pair));
        row.state = says_nothing ? "uninformative" : pair.equal ? "equal" : "changed";
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
  // half of the smaller side's parameters, which may be a part of the other.
  bool find_frozen() {
    const auto kernels = frozen_kernels(pairs_);
    std::uint64_t values = 0;
    for (const NetPair* kernel : kernels) values += kernel->mine.size();
    if (kernels.size() < fewest_kernels ||
        2 * values < std::min(pairs_.parameters, pairs_.their_parameters)) {
      return false;
    }
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
    const auto groups = ordered_groups(kernels_);
    std::size_t kernels = 0;
    std::uint64_t matched = 0;
    std::uint64_t units = 0;
    std::size_t witnesses = 0;
    for (const auto& group : groups) {
      const Witness witness = witness_of(group);
      if (witness.units < fewest_units) continue;
      ++witnesses;
      kernels += group.size();
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
        matched, units, kernels, witnesses);
    found_.evidence.push_back(std::move(evidence));
  }

  // The whole net, or as much of it as equal kernels would have to be.
  bool is_enough(const Refit& refit) const {
    if (pairs_.mine_alone == 0 && pairs_.theirs_alone == 0) return true;
    return refit.like_kernels >= fewest_kernels &&
           2 * refit.like_values >= std::min(pairs_.parameters, pairs_.their_parameters);
  }

  // Every kernel is the same but for the order, sign and one factor of its channels.
  void judge_reparametrised(const ChannelFindings& channels) {
    const Refit& refit = channels.refit;
    const bool whole = pairs_.mine_alone == 0 && pairs_.theirs_alone == 0;
    found_.relation = whole ? "reparametrised" : "partial-reuse";
    found_.derived = "yes";
    found_.stage = "two-view";
    found_.log10_p.reset();
    name_transforms();
    std::ranges::copy(channels.transforms, std::back_inserter(found_.transforms));
    found_.evidence.push_back(
        {.statistic = "redealt-kernels/1",
         .outcome = Outcome::measured,
         .value = static_cast<double>(refit.like_kernels),
         .null = refit.scaled ? Evidence::Null::assumed : Evidence::Null::digest,
         .samples = refit.like_values,
         .stage = "two-view",
         .because = fmt::format(
             "With {} channels in their places{}, all {} kernels ({} values) are the same in both "
             "but for rounding; {} of {} tensors are equal value for value.",
             refit.moved, refit.scaled ? " and one factor a channel" : "", refit.like_kernels,
             refit.like_values, refit.equal, pairs_.pairs.size())});
  }

  // Kin in another order of channels: all further questions are asked in the subject's.
  void judge_redealt_kin(ChannelFindings& channels) {
    for (std::size_t i = 0; i < pairs_.pairs.size(); ++i) {
      pairs_.pairs[i].theirs = std::move(channels.refit.theirs[i]);
      pairs_.pairs[i].equal = pairs_.pairs[i].mine == pairs_.pairs[i].theirs;
    }
    kernels_ = hidden_kernels(subject_, pairs_);
    found_.stage = "two-view";
    found_.log10_p.reset();
    name_transforms();
    std::ranges::copy(channels.transforms, std::back_inserter(found_.transforms));
    judge_kin();
  }

  // `no` needs every stage and what it would have seen.
  void judge_unrelated(const ChannelFindings& channels) {
    const bool faint = found_.log10_p && *found_.log10_p <= faint_pairing;
    found_.because.clear();
    if (faint) {
      found_.because =
          "more channels are in the place of their number than chance would have, and "
          "too few to decide";
    } else if (std::ranges::any_of(pairs_.pairs, is_alike)) {
      found_.because = "some kernels are much alike, and too few to decide";
    } else if (!channels.power) {
      found_.because = "no kernels of equal places share weights as far as could be seen, and " +
                       channels.missing;
    }
    if (!found_.because.empty()) return;
    found_.relation = "independent";
    found_.derived = "no";
    found_.stage = "two-view";
    found_.power_cosine = channels.power;
  }

  // Channels that stand alike show kinship. Nets trained apart from one seed on like data have
  // gains and strong directions like those of fine-tunes (decision 19), so nothing tells them
  // from descent.
  void judge_kin() {
    std::vector<double> cosines;
    cosines.reserve(kernels_.size());
    for (const Kernel& kernel : kernels_) cosines.push_back(kernel.cosine());
    const std::string measured =
        fmt::format("matched channels have a median cosine of {:.2f}", median(std::move(cosines)));
    found_.relation = "common-origin";
    found_.because = measured + ", which a shared seed gives as well as descent";
    found_.evidence.push_back(
        {.statistic = "common-origin/1",
         .outcome = Outcome::insufficient,
         .samples = kernels_.size(),
         .stage = found_.stage,
         .because = "Descent or a shared seed: " + measured +
                    ", and in nets without roles nothing tells the two apart."});
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

// Every tensor of one is in the other, gates laid out as another framework does.
NetFindings same_gates(const EqualGates& equal) {
  NetFindings found{.relation = "identical", .derived = "yes", .stage = "digests", .coverage = 1};
  found.transforms.emplace_back("rename");
  std::ranges::copy(equal.transforms, std::back_inserter(found.transforms));
  found.evidence.push_back(
      {.statistic = "equal-tensors/1",
       .outcome = Outcome::measured,
       .value = static_cast<double>(equal.tensors),
       .null = Evidence::Null::digest,
       .samples = equal.values,
       .stage = "digests",
       .because = fmt::format("Every matrix and vector holds the same values in both ({} in all, "
                              "{} with the gates of a recurrent layer in another order).",
                              equal.tensors, equal.reordered)});
  return found;
}

}  // namespace

Result<NetFindings> compare_nets(const Model& subject, const Model& base,
                                 const CompareOptions& options) {
  auto gates = equal_but_for_gates(subject, base);
  if (!gates) return std::unexpected(std::move(gates.error()));
  if (const std::optional<EqualGates>& equal = *gates;
      equal && equal->values >= fewest_parameters) {
    return same_gates(*equal);
  }
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
