// Were channels dealt anew, or scaled? The stage of nets behind pairing by index.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"
#include "compare/net_refit.h"

namespace pedigree {

struct ChannelFindings {
  Evidence evidence = {};
  std::vector<std::string> transforms = {};  // "channel-permute", "channel-scale", "channel-sign"
  // The base's values in the subject's order; empty where the sides are neither equal nor kin.
  Refit refit = {};
  bool equal = false;  // but for order, signs and one factor a channel
  bool kin = false;    // both ways agree, more than unrelated nets were seen to
  bool doubt = false;  // they agree more than unrelated nets, and too little to decide
  // Nothing would be hidden but by what changes less than this cosine; no value: it could be.
  std::optional<double> power = {};
  std::string missing = {};  // why there is none
};

ChannelFindings find_channels(const Model& subject, const NetPairs& pairs,
                              const CompareOptions& options);

}  // namespace pedigree
