#include "compare/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "compare/structure_words.h"
#include "compare/tokenizer_relation.h"
#include "compare/witness.h"

namespace pedigree {
namespace {

std::string listed(const std::vector<std::pair<std::string, std::string>>& pairs,
                   std::string_view between) {
  std::string text;
  for (const auto& [first, second] : pairs) {
    text += fmt::format("{}{}{}{}", text.empty() ? "" : ", ", first, between, second);
  }
  return text;
}

}  // namespace

VocabularyOverlap vocabulary_overlap(const TokenizerSketch& a, const TokenizerSketch& b) {
  VocabularyOverlap overlap;
  if (a.smallest.empty() || b.smallest.empty()) return overlap;
  const auto limit = std::min(a.smallest.back(), b.smallest.back());
  const auto below = [limit](const TokenizerSketch& sketch) {
    return static_cast<std::size_t>(std::ranges::upper_bound(sketch.smallest, limit) -
                                    sketch.smallest.begin());
  };
  const SharedPlaces shared = shared_places(a.smallest, b.smallest);
  std::size_t same = 0;
  for (std::size_t i = 0; i < shared.subject.size(); ++i) {
    same += a.smallest_ids[shared.subject[i]] == b.smallest_ids[shared.base[i]] ? 1U : 0U;
  }
  overlap.common = shared.subject.size();
  const std::size_t smaller = std::min(below(a), below(b));
  if (smaller > 0) {
    overlap.contained = static_cast<double>(overlap.common) / static_cast<double>(smaller);
  }
  if (overlap.common > 0) {
    overlap.same_ids = static_cast<double>(same) / static_cast<double>(overlap.common);
  }
  return overlap;
}

ContextAnswer architecture_answer(const Architecture& subject, const Architecture& base) {
  ContextAnswer answer;
  if (subject.layers == 0 || base.layers == 0) {
    answer.because = "At least one side's structure is not known.";
    if (subject.layers == base.layers && same_architecture(subject, base)) {
      answer.answer = "yes";
      answer.because =
          fmt::format("No known family fits, and both are made of the same blocks: {}.",
                      subject.layer_template);
    }
    return answer;
  }
  if (!same_architecture(subject, base)) {
    answer.answer = "no";
    answer.because =
        fmt::format("The structures differ: {} against {}.", structure_in_words(subject.structure),
                    structure_in_words(base.structure));
    return answer;
  }
  answer.answer = "yes";
  answer.because = fmt::format("Both are {}.", structure_in_words(subject.structure));
  if (!subject.renames.empty()) {
    answer.because += fmt::format(" The subject calls {} by other names: {}.",
                                  subject.renames.size() == 1
                                      ? "one kind of tensor"
                                      : fmt::format("{} kinds of tensor", subject.renames.size()),
                                  listed(subject.renames, " for "));
  }
  if (!base.renames.empty()) {
    answer.because += fmt::format(" The base uses other names: {}.", listed(base.renames, " for "));
  }
  const auto differences = architecture_differences(subject, base);
  if (!differences.empty()) {
    answer.because += fmt::format(" They differ in {}.", listed(differences, " "));
  }
  return answer;
}

ContextAnswer tokenizer_answer(const Fingerprint& subject, const Fingerprint& base) {
  ContextAnswer answer;
  if (!subject.tokenizer || !base.tokenizer) {
    answer.because = "At least one side has no readable tokenizer.";
    return answer;
  }
  const TokenizerSketch& a = *subject.tokenizer;
  const TokenizerSketch& b = *base.tokenizer;
  if (a.vocabulary_digest == b.vocabulary_digest) {
    answer.answer = "yes";
    answer.because = fmt::format("The same {} tokens in the same order{}.", a.tokens,
                                 a.merges_digest == b.merges_digest ? "" : "; the merges differ");
    return answer;
  }
  const VocabularyOverlap overlap = vocabulary_overlap(a, b);
  const std::string measured = fmt::format(
      "{:.0f} % of the smaller vocabulary's sampled tokens are in both, {:.0f} % of "
      "those under the same id",
      100 * overlap.contained, 100 * overlap.same_ids);
  if (overlap.common >= 50 && overlap.contained >= 0.95 && overlap.same_ids >= 0.95) {
    answer.answer = "yes";
    answer.extended = a.tokens > b.tokens;
    answer.because = fmt::format("One vocabulary extends the other ({} against {} tokens): {}.",
                                 a.tokens, b.tokens, measured);
  } else if (overlap.contained < 0.9 || overlap.same_ids < 0.5) {
    answer.answer = "no";
    answer.because = fmt::format("Different vocabularies ({} against {} tokens): {}.", a.tokens,
                                 b.tokens, measured);
  } else {
    answer.because = fmt::format("The vocabularies overlap without being one: {}.", measured);
  }
  return answer;
}

void answer_context(const Side& subject, const Side& base, Comparison& comparison) {
  const Architecture& mine = subject.sketch.architecture;
  const Architecture& theirs = base.sketch.architecture;
  Verdict& verdict = comparison.verdict;
  ContextAnswer architecture = architecture_answer(mine, theirs);
  verdict.architecture = std::move(architecture.answer);
  verdict.architecture_because = std::move(architecture.because);
  comparison.config_differences = architecture_differences(mine, theirs);
  const auto tokenizer_of = [](const Side& side) -> const Tokenizer* {
    if (side.weights == nullptr) return nullptr;
    const std::optional<Tokenizer>& held = side.weights->tokenizer;
    return held ? &*held : nullptr;
  };
  const Tokenizer* own = tokenizer_of(subject);
  const Tokenizer* other = tokenizer_of(base);
  if (own != nullptr && other != nullptr) {
    // Token by token where both vocabularies are at hand, else by their sketches.
    const auto& relation = comparison.tokenizers.emplace(relate_tokenizers(*own, *other));
    verdict.tokenizer = tokenizer_relation_answer(relation);
    verdict.tokenizer_because =
        tokenizer_relation_in_words(relation) + names_in_words(*own, *other);
    return;
  }
  ContextAnswer tokenizer = tokenizer_answer(subject.sketch, base.sketch);
  verdict.tokenizer = std::move(tokenizer.answer);
  verdict.tokenizer_because = std::move(tokenizer.because);
}

}  // namespace pedigree
