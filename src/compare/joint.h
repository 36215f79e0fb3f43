// What several candidate parents explain together: merges above all.
//
// A merge is a claim about where every number came from, so it is made only
// where the candidates give the subject's numbers back as closely as its stored
// type can hold them and no single one of them does (decision 11). A model that
// was trained from one candidate keeps a change of its own that no combination
// of the others reproduces, however alike its siblings are.
//
// Everything here goes by index: a merge whose units were re-dealt or rotated
// afterwards is not looked for.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compare/compare.h"

namespace pedigree {

struct JointParent {
  std::string name = {};
  double weight = 0;                // share of the whole; of a base: what the others leave
  std::optional<double> t = {};     // SLERP: how far towards this parent, 1 being the parent itself
  std::optional<double> kept = {};  // sparse methods: share of its change that was kept
};

// How one matrix of the subject is made up; or one whole layer, when it was copied.
struct JointPart {
  int layer = -1;                    // of the subject
  std::string role = {};             // "" for all of the layer
  std::vector<double> weights = {};  // by parents, then the base's where there is one
  std::optional<double> t = {};      // SLERP: towards the second parent
  std::optional<int> from = {};      // copied: the parent's layer
};

struct Joint {
  std::string relation = "merge";  // lora-merge with adapters; or inconclusive
  // linear, slerp, linear/slerp, task-arithmetic, linear/task-arithmetic, model-stock,
  // ties, ties/arcee-fusion, dare-linear, dare-ties, della, passthrough
  std::string method = {};
  std::vector<JointParent> parents = {};
  std::optional<JointParent> base = {};       // the model the parents' changes are counted from
  std::vector<std::string> unneeded = {};     // candidates that the explanation does without
  double residual = 0;                        // ‖subject − explanation‖ / ‖subject‖
  std::optional<double> rounding_ratio = {};  // the same, over what rounding alone would leave
  bool within_rounding = false;
  std::optional<double> condition = {};    // of the parents' values: how nearly they are collinear
  std::string direction = "undetermined";  // base-is-parent where the rounding shows it
  std::string direction_because = {};
  std::optional<Lora> lora = {};      // of adapters among the candidates: what they updated
  std::vector<JointPart> parts = {};  // by (layer, role)
  std::vector<Evidence> evidence = {};
  std::string summary = {};  // one sentence
};

struct JointCandidate {
  std::string name = {};
  const Fingerprint* sketch = nullptr;
  const Comparison* comparison = nullptr;  // of the subject with this candidate
  bool stored = false;  // read from a fingerprint file, whose wide floats keep 22 bits
};

struct JointOptions {
  bool stored_subject = false;
};

// Nothing when fewer than two candidates can be set against the subject, when a
// single one explains it, and when even all of them do not.
std::optional<Joint> joint(const Fingerprint& subject, std::span<const JointCandidate> candidates,
                           const JointOptions& options = {});

}  // namespace pedigree
