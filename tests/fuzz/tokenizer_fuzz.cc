// Any bytes become a vocabulary or a problem, whichever kind of file they are
// taken for; the same bytes give the same digest.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "compare/tokenizer_relation.h"
#include "model/chat_template.h"
#include "model/known_vocabularies.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_vocabulary.h"

namespace {

using namespace pedigree;

// A vocabulary is itself, and has its place among the known ones.
void hold_names(Tokenizer tokenizer) {
  check(tokenizer.added.size() == tokenizer.added_ids.size(), "added tokens without ids");
  find_known_vocabularies(tokenizer);
  check(tokenizer.bytes_digest.size() == 64, "no digest of the bytes");
  for (const VocabularyMatch& match : tokenizer.known) {
    check(match.resemblance >= 0 && match.resemblance <= 1, "a share that is none");
    check(!match_in_words(match).empty(), "a match without words");
  }
  const TokenizerRelation itself = relate_tokenizers(tokenizer, tokenizer);
  check(itself.relation == "identical", "a vocabulary that is not itself");
  check(tokenizer_relation_answer(itself) == "yes", "another's than its own");
}

void hold(const Result<Tokenizer>& tokenizer) {
  if (!tokenizer) {
    check(tokenizer.error().code == "tokenizer-malformed", "another code");
    check(!tokenizer.error().file.empty(), "a problem without its file");
    return;
  }
  check(!tokenizer->tokens.empty() && tokenizer->tokens.size() <= Vocabulary::max_id,
        "a size nobody may have");
  check(tokenizer->vocabulary_digest.size() == 64, "no digest");
  check(tokenizer->merges == 0 || tokenizer->merges_digest.size() == 64, "no merges digest");
  StringListDigest digest;
  for (const std::string& token : tokenizer->tokens) digest.add(token);
  check(digest.finish() == tokenizer->vocabulary_digest, "a digest of something else");
  hold_names(*tokenizer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  hold(read_tokenizer_json({text, "tokenizer.json"}));
  hold(read_vocab_json({text, "vocab.json"}, NamedText{text, "merges.txt"}, std::nullopt));
  hold(read_vocab_json({R"({"a":0})", "vocab.json"}, NamedText{text, "merges.txt"}, std::nullopt));
  hold(read_vocab_txt({text, "vocab.txt"}));
  hold(read_tiktoken({text, "x.tiktoken"}));
  hold(read_tekken({text, "tekken.json"}));
  const auto pieces = read_sentencepiece(std::as_bytes(std::span(data, size)), "tokenizer.model");
  if (pieces) {
    hold(pieces->tokenizer);
  } else {
    check(pieces.error().code == "tokenizer-malformed", "another code");
  }
  check(chat_template_of(text, "chat_template.jinja").bytes <= size, "a template that grew");
  return 0;
}
