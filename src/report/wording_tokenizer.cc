#include "report/wording_tokenizer.h"

#include <fmt/format.h>

namespace pedigree {

std::string tokenizer_in_words(const Tokenizer& tokenizer) {
  std::string what = fmt::format("{}, {} tokens, {} merges", tokenizer.kind,
                                 tokenizer.tokens.size(), tokenizer.merges);
  if (tokenizer.known.empty()) return what;
  const VocabularyMatch& best = tokenizer.known.front();
  if (best.how != VocabularyMatch::How::resembling) {
    return fmt::format("{}; {}", match_in_words(best), what);
  }
  std::string text = fmt::format("{}; none that is known, {}", what, match_in_words(best));
  if (tokenizer.known.size() > 1) {
    const VocabularyMatch& next = tokenizer.known[1];
    text += fmt::format("; next {}'s, {:.0f} %", next.name, 100 * next.resemblance);
  }
  return text;
}

std::string chat_template_in_words(const Tokenizer& tokenizer) {
  if (!tokenizer.chat_template) return {};
  return fmt::format("sha256 {}…, {} bytes, never run",
                     tokenizer.chat_template->digest.substr(0, 16), tokenizer.chat_template->bytes);
}

}  // namespace pedigree
