#include "tasks/judge_joint.h"

namespace pedigree {
namespace {

// Samples differ in the rows of embeddings alone, which a joint answer leaves out.
const Fingerprint* sketch_of(const Opened& side) {
  if (!side.model) return &*side.stored;
  if (side.by_token) return &*side.by_token;
  return side.by_row ? &*side.by_row : nullptr;
}

}  // namespace

std::optional<Joint> joint_answer(const Opened& subject,
                                  const std::vector<std::shared_ptr<Opened>>& bases,
                                  const std::vector<Comparison>& comparisons) {
  const Fingerprint* sketch = sketch_of(subject);
  if (sketch == nullptr) return std::nullopt;
  std::vector<JointCandidate> candidates;
  for (std::size_t i = 0; i < bases.size() && i < comparisons.size(); ++i) {
    if (bases[i] == nullptr) continue;
    candidates.push_back({.name = comparisons[i].base,
                          .sketch = sketch_of(*bases[i]),
                          .comparison = &comparisons[i],
                          .stored = bases[i]->model == nullptr});
  }
  return joint(*sketch, candidates, {.stored_subject = subject.model == nullptr});
}

}  // namespace pedigree
