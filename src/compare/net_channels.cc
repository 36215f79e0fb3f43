#include "compare/net_channels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/net_power.h"
#include "compare/search.h"

namespace pedigree {
namespace {

constexpr double worth_ordering = -6;
constexpr double ways = 2;  // as stored, and up to sign

class ChannelFinder {
 public:
  ChannelFinder(const Model& subject, const NetPairs& pairs, const CompareOptions& options)
      : pairs_(pairs), wiring_(wiring_of(subject, pairs)), options_(options) {
    found_.evidence = {.statistic = "channel-agreement/1", .stage = "two-view"};
    tries_ =
        std::log10(ways * static_cast<double>(std::max<std::uint64_t>(1, options.alternatives)));
  }

  ChannelFindings find() {
    for (const bool up_to_sign : {false, true}) {
      const auto seen = find_redealing(wiring_, up_to_sign, options_.threads);
      if (!seen) {
        found_.missing = "the net is too large, or has no kernels, for channels to be matched";
        found_.evidence.because = "Channels were not matched: " + found_.missing + ".";
        return std::move(found_);
      }
      look_at(*seen, up_to_sign);
      if (found_.equal || found_.kin) return std::move(found_);
    }
    state_power();
    return std::move(found_);
  }

 private:
  void look_at(const Redealing& seen, bool up_to_sign) {
    complete_ = seen.complete && !seen.agreements.empty();
    const double chance = std::min(0.0, seen.log10_chance() + tries_);
    if (found_.evidence.outcome != Outcome::measured ||
        static_cast<double>(seen.agreeing()) > found_.evidence.value) {
      note(seen);
    }
    found_.doubt = found_.doubt || leaves_doubt(seen);
    if (chance > worth_ordering) return;
    const auto maps = refined(wiring_, seen, up_to_sign, options_.threads);
    Refit refit = put_in_order(pairs_, wiring_, seen, maps);
    const bool changed = refit.moved > 0 || refit.turned > 0 || refit.scaled;
    found_.equal = refit.all_kernels && changed && refit.like_kernels > 1;
    found_.missing = "what is the same in another order of channels is too little to decide";
    found_.kin = chance <= certain && are_redealt_copies(seen);
    if (!found_.equal && !found_.kin) return;
    if (refit.moved > 0) found_.transforms.emplace_back("channel-permute");
    if (refit.turned > 0) found_.transforms.emplace_back("channel-sign");
    if (refit.scaled) found_.transforms.emplace_back("channel-scale");
    found_.refit = std::move(refit);
  }

  void note(const Redealing& seen) {
    Evidence& evidence = found_.evidence;
    if (seen.agreements.empty()) {
      evidence.because =
          "No hidden kernel could be matched both by what it reads and by what "
          "reads it.";
      return;
    }
    std::size_t passing = 0;
    for (const ChannelAgreement& each : seen.agreements) passing += passes(each) ? 1U : 0U;
    evidence.outcome = Outcome::measured;
    evidence.value = static_cast<double>(seen.agreeing());
    evidence.null = Evidence::Null::assumed;
    evidence.samples = seen.units();
    evidence.because = fmt::format(
        "{} of {} channels in {} numberings have the same partner by what they read and by what "
        "reads them, at most {} in a hundred of one numbering; {} numberings have three in "
        "four and more. Nets trained apart on one task were seen to reach {} in a hundred.",
        seen.agreeing(), seen.units(), seen.agreements.size(),
        static_cast<int>(std::ceil(100 * seen.largest_share())), passing, seen_of_unrelated);
  }

  void state_power() {
    if (!complete_) {
      found_.missing =
          "not every kernel could be matched both by what it reads and by what reads "
          "it, so that channels dealt anew might not show";
      return;
    }
    if (found_.doubt) {
      found_.missing =
          "more channels have one partner by what they read and by what reads them than "
          "in unrelated nets, and too few to decide";
      return;
    }
    found_.power = redealing_power(wiring_, certain - tries_, options_.threads);
    if (!found_.power) {
      found_.missing =
          "the nets are too small or too large for a statement of what would have "
          "been seen";
    }
  }

  using Outcome = Evidence::Outcome;

  const NetPairs& pairs_;
  const Wiring wiring_;
  const CompareOptions& options_;
  double tries_ = 0;
  bool complete_ = false;
  ChannelFindings found_;
};

}  // namespace

ChannelFindings find_channels(const Model& subject, const NetPairs& pairs,
                              const CompareOptions& options) {
  return ChannelFinder(subject, pairs, options).find();
}

}  // namespace pedigree
