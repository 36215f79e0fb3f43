// The escalation of statistics.md section 5: aligned sub-blocks, layer map,
// responses by index, two-view agreement. Stops at the first stage that decides.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"
#include "compare/ffn_pairs.h"
#include "compare/kind.h"
#include "compare/pairing.h"
#include "compare/two_view.h"

namespace pedigree {

struct Search {
  std::vector<Evidence> evidence = {};
  std::optional<std::string> stage = {};        // that rejected independence
  double log10_p = 0;                           // there, every try paid for
  bool assumed_null = false;                    // two-view
  std::size_t supporting = 0;                   // layers and groups that speak for it
  Descent descent = {};                         // how the parts stand against each other
  bool all_stages_ran = false;                  // of those that apply
  std::string missing = {};                     // what did not run, in words
  std::optional<Problem> problem = {};          // reading failed
  std::shared_ptr<const FfnPairs> blocks = {};  // feed-forward neurons by index, as they were tried
  std::shared_ptr<const FfnPairs> answered = {};  // by answers; null without experts
  std::string doubt = {};                         // why nothing rejects, and yet `no` would be rash
  std::optional<double> power = {};  // least mean cosine that free signs would have shown
  bool power_in_place = false;       // of layers with the same number only
};

// Independence is rejected at p ≤ 10^this.
inline constexpr double certain = -9;
// Neurons, residual dimensions, value channels: the smallest p is paid three times.
inline constexpr double group_count = 3;

Search search(const Side& subject, const Side& base, const CompareOptions& options);

}  // namespace pedigree
