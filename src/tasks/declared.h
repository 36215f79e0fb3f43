// What a model declares about its parents, held against what its weights show.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"

namespace pedigree {

// A base the subject was compared with, by every name it goes by.
struct Candidate {
  std::string name;
  std::string path;
};

// Does a claim's value ("org/Name", a URL, a path) mean the model called `name`?
// Last path components must agree whatever their case, and organisations where
// both sides give one.
bool names_same_model(std::string_view claimed, std::string_view name);

// A directory or drive on somebody's machine: it names a parent nobody can find.
bool is_local_path(std::string_view value);

// Does the claim's value name this candidate, by its own name or its path?
bool names_candidate(const Claim& claim, const Candidate& candidate);

std::string source_of(const Claim& claim);  // "README.md:4 base_model"

bool is_parent_claim(const Claim& claim, const ModelInfo& model);

// One row for each parent claim, then one for each parent found that no claim
// names. comparisons[i] is with candidates[i]; no comparisons, no verdicts.
std::vector<Declared> hold_claims(const ModelInfo& model, const std::vector<Candidate>& candidates,
                                  const std::vector<Comparison>& comparisons);

}  // namespace pedigree
