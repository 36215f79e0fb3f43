// Two models in, one Comparison out: stages, evidence, verdict.
//
// A statistic measures; it does not judge. It says how alike two models are in
// one respect and how often unrelated models come out that alike. The verdict
// weighs the answers, and reports print whatever evidence they are handed.
// docs/statistics.md and design notes in docs/decisions say where each number
// comes from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/progress.h"
#include "compare/evidence.h"
#include "compare/tokenizer_relation.h"
#include "fingerprint/fingerprint.h"
#include "model/model.h"

namespace pedigree {

struct Side {
  const Fingerprint& sketch;
  const Model* weights = nullptr;  // null when only a fingerprint is at hand
};

struct RoleChange {
  std::string role = {};
  int layer = -1;             // of the subject
  double relative_delta = 0;  // ‖child − parent‖ / ‖parent‖ on what was compared
  bool exact = false;         // equal bit for bit (after the named transforms)
  int expert = -1;            // of the subject
};

struct TensorRow {        // --details
  std::string name = {};  // of the subject's tensor
  std::string role = {};
  int layer = -1;
  std::string base_name = {};  // matched tensor of the base, "" when none
  std::string state = {};  // "equal", "equal-after-cast", "changed", "unmatched", "uninformative"
  std::optional<double> relative_delta = {};
};

struct RoleRank {
  std::string role = {};
  std::uint64_t rank = 0;
  bool at_least = false;  // the role's matrices could not show more
};

struct Lora {
  std::uint64_t rank = 0;  // the largest of any role
  bool at_least = false;   // the sub-block could not show more
  std::vector<std::string> roles;
  std::vector<RoleRank> ranks = {};  // by role
};

struct Kept {  // shares of the base that the subject kept
  double ffn = 1;
  double heads = 1;
  double hidden = 1;
  std::optional<double> experts = {};  // where the base has experts
};

// A feed-forward block of the subject and the one of the base it stands against.
struct ExpertLink {
  int layer = -1;
  int expert = -1;  // -1: the layer's own block, or its shared expert
  int base_layer = -1;
  int base_expert = -1;
  double share = 0;  // of the neurons looked at, those that have their partner there
};

struct Experts {
  std::uint64_t subject = 0;  // in a layer; 0 for a dense model
  std::uint64_t base = 0;
  std::vector<ExpertLink> map = {};    // by (layer, expert)
  std::optional<double> covered = {};  // of the dense side's neurons, those found in experts
};

struct Verdict {
  std::string relation = "inconclusive";  // statistics.md section 8
  std::vector<std::string> mechanisms;    // all that hold, in the order of precedence
  std::string derived = "inconclusive";   // yes, no, inconclusive
  std::string direction =
      "undetermined";  // base-is-parent, subject-is-parent, siblings, undetermined
  std::string direction_because;
  std::string architecture = "inconclusive";
  std::string architecture_because;  // one sentence; the renames are named in it
  std::string tokenizer = "inconclusive";
  std::string tokenizer_because;
  std::optional<double> log10_p;
  std::string stage;                   // that decided; "" when none did
  double coverage = 0;                 // share of the subject's parameters that were comparable
  std::optional<double> power_cosine;  // for `no`: would have been seen with probability 0.999
  bool power_in_place = false;         // that holds for layers of the same number only
  std::string summary;                 // one sentence
};

struct Comparison {
  std::string subject;
  std::string base;
  Verdict verdict;
  std::vector<std::string> transforms;         // "rename", "cast:F32->BF16", "neuron-permute"
  std::vector<std::pair<int, int>> layer_map;  // (subject layer, base layer); empty when none
  std::optional<Lora> lora;
  std::optional<Kept> kept;
  std::optional<Experts> experts;            // when a side has experts and some were matched
  std::vector<RoleChange> change;            // by (layer, role)
  std::vector<std::string> changed_tensors;  // partial-finetune: which
  std::vector<Evidence> evidence;            // in the order of the stages
  std::vector<TensorRow> rows;               // only with details
  std::vector<std::pair<std::string, std::string>>
      config_differences;                       // ("rope_theta", "10000 against 5000000")
  std::optional<TokenizerRelation> tokenizers;  // where both sides' tokens are at hand
  std::vector<Problem> problems;
};

struct CompareOptions {
  bool quick = false;    // stop after the sampled tests; never `no`
  bool details = false;  // fill rows
  unsigned threads = 0;
  std::uint64_t alternatives = 1;  // bases tried in this run: p pays for them
  Progress progress;
};

// Why nothing can be said of this model against any other, or "".
std::string why_unjudgeable(const Side& side);

Comparison compare(const Side& subject, const Side& base, const CompareOptions& options = {});

}  // namespace pedigree
