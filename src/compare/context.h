// What stands beside the question of weights and never answers it: is the
// architecture shared, is the tokenizer?
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "compare/compare.h"
#include "fingerprint/fingerprint.h"

namespace pedigree {

struct ContextAnswer {
  std::string answer = "inconclusive";  // yes, no, inconclusive
  std::string because;                  // one sentence
  bool extended = false;                // tokenizer: the subject's begins with the base's
};

// What two vocabularies have in common, from their sketches. Bottom-k sketches speak for
// hashes up to the smaller of their largest values.
struct VocabularyOverlap {
  double contained = 0;  // share of the smaller vocabulary's tokens the other has too
  double same_ids = 0;   // of the common ones
  std::size_t common = 0;
};
VocabularyOverlap vocabulary_overlap(const TokenizerSketch& a, const TokenizerSketch& b);

ContextAnswer architecture_answer(const Architecture& subject, const Architecture& base);
ContextAnswer tokenizer_answer(const Fingerprint& subject, const Fingerprint& base);

// Both answers and the hyper-parameters that differ, into a comparison's verdict. Needs no
// weights on either side.
void answer_context(const Side& subject, const Side& base, Comparison& comparison);

}  // namespace pedigree
