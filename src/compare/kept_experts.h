// Experts by the answers of their neurons, where one side or both are fingerprints: what a
// deep part keeps (fingerprint/kept_answers.h) and what weights give beside it.
//
// Answers stand under the roles of a dense layer, like the blocks of an FfnSketch, so that
// whatever pairs blocks by their responses pairs these.
#pragma once

#include <string>
#include <vector>

#include "compare/alignment.h"
#include "compare/compare.h"
#include "compare/ffn_pairs.h"
#include "compare/neuron_views.h"
#include "compare/two_view.h"

namespace pedigree {

// Is a side a fingerprint, do experts stand on either side, and can both be seen by answers?
bool go_by_kept_answers(const Side& subject, const Side& base);

// All blocks with answers, of all neurons that were kept; of weights the neurons that a
// fingerprint would keep and twice as many besides. No values of matrices.
Result<FfnSketch> answered_blocks(const Side& side, const Side& other,
                                  const CompareOptions& options);

// Why two-view agreement on what was kept could have missed a copy; empty where it could
// not, as far as weights would have found it.
std::string kept_too_little(const Side& subject, const Side& base, const ViewsOfBoth& views);

// Blocks of mapped layers whose neurons answer like those of another, wherever these stand:
// for each block of the side with more in a layer, unless `known` has an answer for it.
Result<std::vector<FfnMatch>> redealt_matches(const Side& subject, const Side& base,
                                              const Alignment& alignment,
                                              const std::vector<FfnMatch>& known,
                                              const CompareOptions& options);

}  // namespace pedigree
