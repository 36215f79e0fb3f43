#include "compare/vocabulary.h"

#include <algorithm>

#include "compare/context.h"

namespace pedigree {
namespace {

// Rows of unrelated embeddings differ by about 1.4 of their length, those of a model
// trained three times as long as its base by 0.8.
constexpr double unrelated_rows = 0.9;

}  // namespace

VocabularyChange vocabulary_change(const Side& subject, const Side& base,
                                   const std::vector<Change>& changes) {
  const auto rows = std::ranges::find(changes, "embed.tokens", &Change::role);
  if (rows != changes.end() && rows->relative_delta >= unrelated_rows) {
    return VocabularyChange::replaced;
  }
  const bool other_size = subject.sketch.architecture.vocab != base.sketch.architecture.vocab;
  if (subject.sketch.tokenizer && base.sketch.tokenizer) {
    const auto overlap = vocabulary_overlap(*subject.sketch.tokenizer, *base.sketch.tokenizer);
    if (overlap.contained < 0.5) return VocabularyChange::replaced;
    if (other_size && overlap.contained >= 0.95 && overlap.same_ids < 0.5) {
      return VocabularyChange::trimmed;
    }
  }
  return other_size ? VocabularyChange::extended : VocabularyChange::none;
}

DirectionSign trimmed_sign(const Side& subject, const Side& base) {
  const bool subject_is_smaller =
      subject.sketch.architecture.vocab < base.sketch.architecture.vocab;
  return {.base_is_parent = subject_is_smaller,
          .because = subject_is_smaller
                         ? "the subject lacks tokens from the midst of the base's vocabulary"
                         : "the base lacks tokens from the midst of the subject's vocabulary"};
}

}  // namespace pedigree
