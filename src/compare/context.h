// What stands beside the question of weights and never answers it: is the
// architecture shared, is the tokenizer?
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fingerprint/fingerprint.h"

namespace pedigree {

struct ContextAnswer {
  std::string answer = "inconclusive";  // yes, no, inconclusive
  std::string because;                  // one sentence
  bool extended = false;                // tokenizer: the subject's begins with the base's
};

ContextAnswer architecture_answer(const Architecture& subject, const Architecture& base);
ContextAnswer tokenizer_answer(const Fingerprint& subject, const Fingerprint& base);

}  // namespace pedigree
