// Which of two related models came first. A wrong answer accuses the victim, so
// each sign speaks only where the other order would need a coincidence, and
// signs that disagree give `undetermined` (statistics.md section 7).
#pragma once

#include <string>
#include <vector>

#include "compare/compare.h"
#include "compare/exact.h"

namespace pedigree {

struct DirectionSign {
  bool base_is_parent = true;  // else the subject is
  std::string because = {};    // one sentence
};

// The sides' numbers of vocabulary rows differ: do the rows that only the larger
// one has look untrained (all alike, or noise about the mean without structure)?
// Reads up to 1,024 rows of the larger side's head, or of its embedding where
// they are tied; null weights: no sign.
Result<std::optional<DirectionSign>> appended_rows_sign(const Side& subject, const Side& base);

// Values of one side exactly representable in a coarser type than it stores, or
// rounded into one.
std::optional<DirectionSign> rounding_sign(const ExactPass& exact, const Side& subject,
                                           const Side& base);

// Is this layer of the sketch without effect (o and down next to nothing)?
bool is_null_layer(const Fingerprint& sketch, int layer);

// "base-is-parent", "subject-is-parent" or "undetermined", and why.
std::pair<std::string, std::string> settled_direction(const std::vector<DirectionSign>& signs);

}  // namespace pedigree
