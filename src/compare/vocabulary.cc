#include "compare/vocabulary.h"

#include <algorithm>
#include <cmath>

#include "compare/context.h"
#include "compare/dense.h"

namespace pedigree {
namespace {

// Rows of unrelated embeddings are at right angles, those of a model trained three times
// as long as its base have a cosine of 0.7, those with noise of their own size 0.7 as well.
constexpr double unrelated_rows = 0.3;

double mean_cosine(const Change& rows) {
  double total = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < rows.subject.rows; ++i) {
    const double lengths = product(rows.subject.row(i), rows.subject.row(i)) *
                           product(rows.base.row(i), rows.base.row(i));
    if (lengths <= 0) continue;
    total += product(rows.subject.row(i), rows.base.row(i)) / std::sqrt(lengths);
    ++count;
  }
  return count == 0 ? 1 : total / static_cast<double>(count);
}

}  // namespace

VocabularyChange vocabulary_change(const Side& subject, const Side& base,
                                   const std::vector<Change>& changes) {
  const auto rows = std::ranges::find(changes, "embed.tokens", &Change::role);
  if (rows != changes.end() && mean_cosine(*rows) < unrelated_rows) {
    return VocabularyChange::replaced;
  }
  const std::uint64_t mine = subject.sketch.architecture.vocab;
  const std::uint64_t theirs = base.sketch.architecture.vocab;
  if (mine == 0 || theirs == 0) return VocabularyChange::none;  // no embedding to tell
  const bool other_size = mine != theirs;
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
