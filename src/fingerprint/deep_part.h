// The part of a fingerprint that needs a pass over feed-forward matrices: answers of neurons
// (kept_answers.h) and couplings between them (stored_couplings.h).
#pragma once

#include <optional>

#include "fingerprint/fingerprint.h"

namespace pedigree {

std::optional<Problem> add_deep_part(const Model& model, const FingerprintOptions& options,
                                     Fingerprint& fingerprint);

}  // namespace pedigree
