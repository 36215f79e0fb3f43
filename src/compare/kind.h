// What kind of descent: the relation and every mechanism that holds
// (statistics.md sections 6 and 8).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compare/change.h"
#include "compare/context.h"
#include "compare/exact.h"
#include "compare/expert_findings.h"

namespace pedigree {

// What was found on the way to "derived", for the relation to be read from.
struct Descent {
  Alignment alignment = {};
  bool faint = false;           // only signs of units tell: too faint for pairing
  bool reparametrised = false;  // units or coordinates were re-dealt, or factors moved
  std::vector<std::string> transforms = {};
  std::optional<Kept> kept = {};             // shares of the wider side's units, when one has fewer
  std::set<std::string> subject_lacks = {};  // "neurons", "heads", "residual dimensions"
  std::set<std::string> base_lacks = {};
  bool subject_repeats_layers = false;  // two of its layers are copies of one of the base's
  bool base_repeats_layers = false;
  ExpertFindings experts = {};
  bool only_a_part = false;  // fewer than half of the layers, or no FFN, could be matched
  double share = 1;          // of the subject's parameters in matched layers
};

struct Kind {
  std::string relation = "inconclusive";
  std::vector<std::string> mechanisms = {};
  std::vector<std::string> transforms = {};
  std::string direction = "undetermined";
  std::string direction_because = {};
  std::optional<Lora> lora = {};
  std::optional<Kept> kept = {};
  std::optional<Experts> experts = {};
  std::vector<RoleChange> change = {};
  std::vector<std::string> changed_tensors = {};
  std::vector<Evidence> evidence = {};
  bool equal_on_sample_only = false;  // equal as far as looked, digests would tell
};

// Largest median ‖D‖/‖W‖ of a fine-tune; measured 0.06 against 0.53.
inline constexpr double fine_tune_limit = 0.25;

Result<Kind> kind_of(const Side& subject, const Side& base, const Descent& descent,
                     const CompareOptions& options);

// Of the subject's dequantised matrices, the smallest share of values that lie
// within half a step of the base's; nothing when under half of its sampled
// matrices show a lattice, or the base shows the same one.
struct LatticeFit {
  double worst_share = 0;
  std::size_t matrices = 0;
};
std::optional<LatticeFit> lattice_fit(const std::vector<Change>& all);

Evidence lattice_evidence(const LatticeFit& fit);

}  // namespace pedigree
