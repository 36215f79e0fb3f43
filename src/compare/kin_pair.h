// From sketches and what their comparison found to the numbers of a KinGraph.
#pragma once

#include "compare/compare.h"
#include "compare/family_tree.h"
#include "compare/kinship.h"

namespace pedigree {

// Does one of the two follow from the other without training: equal, rounded,
// quantised, cut, repeated, extended, re-dealt, a low-rank update merged in?
// False where the comparison could not set values against each other.
bool is_copy(const Comparison& comparison);

// The direction of a copy, from the base (first) to the subject (second); unknown
// for all else: where training lies between two models, a sign that one of them
// lost something says no more than that it is not the other's ancestor. Unknown as
// well where two things were done, such as leaving layers out and re-dealing neurons:
// then both may come from a third model, each by one of them.
LinkDirection copy_direction(const Comparison& comparison);

// The same with what else is known of the pair: a parent explains all that its child
// holds, apart from appended rows, and was not itself widened from another model.
LinkDirection parent_of_copy(const Comparison& comparison, const KinPair& pair,
                             const KinModel& first, const KinModel& second);

// Of sketches sampled alike; `comparison` is of the second, the subject, against
// the first, the base. Numbers are left at zero.
KinPair kin_pair(const Fingerprint& first, const Fingerprint& second, const Comparison& comparison);

// For the place in a tree alone, more than is proven: a larger vocabulary hangs on the
// smaller one, means of experts on the experts.
LinkDirection place_of_copy(const Comparison& comparison, const KinPair& pair,
                            const KinModel& first, const KinModel& second);

// What a comparison on whole weights (second against first) knows better than the
// samples did: partners of units under other numbers, and how far they moved.
void take_deep(KinPair& pair, const Fingerprint& first, const Fingerprint& second,
               const Comparison& comparison);

// One model by itself; the chart is left at zero.
KinModel kin_model(const Fingerprint& sketch);

}  // namespace pedigree
