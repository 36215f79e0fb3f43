// What the matched experts say about the kind of descent and its direction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/alignment.h"
#include "compare/direction.h"
#include "compare/ffn_pairs.h"

namespace pedigree {

struct ExpertFindings {
  bool carried = false;  // half of the layers that hold experts have a match
  std::optional<Experts> report = {};
  std::vector<std::string> mechanisms = {};  // moe-upcycled, pruned
  bool reparametrised = false;
  std::vector<std::string> transforms = {};
  std::optional<DirectionSign> sign = {};
  std::optional<double> kept_ffn = {};      // shares of the base's, where the subject is the one
  std::optional<double> kept_experts = {};  // that has fewer
  std::vector<Evidence> evidence = {};
};

// Leaves in `alignment.experts` what grouped_experts() keeps. `pairs` holds all experts
// that could be read.
Result<ExpertFindings> expert_findings(const Side& subject, const Side& base, Alignment& alignment,
                                       const FfnPairs& pairs);

}  // namespace pedigree
