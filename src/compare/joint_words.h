// The sentences and evidence rows of a joint answer.
#pragma once

#include <string>

#include "compare/merge_copies.h"
#include "compare/merge_entries.h"
#include "compare/merge_methods.h"
#include "compare/merge_standing.h"

namespace pedigree {

std::string type_of(const Fingerprint& sketch);  // that most of its layers are stored in

Evidence copies_evidence(const std::string& subject, const Copies& copies);
Evidence fit_evidence(const Joint& joint, const MergeFit& fit, const Standing& standing,
                      double log10_tries);
Evidence direction_evidence(const MergeFit& fit, const Computed& computed);
Evidence entries_evidence(const Joint& joint, const EntryFit& fit, std::size_t matrices,
                          double log10_tries);

std::string copies_summary(const std::string& subject, const Joint& joint);
std::string fit_summary(const std::string& subject, const Joint& joint, const MergeMethod& method,
                        const std::string& type);
std::string entries_summary(const std::string& subject, const Joint& joint);

}  // namespace pedigree
