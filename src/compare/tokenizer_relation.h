// How two vocabularies stand to each other, token by token. Facts about tokenizers; none
// of them says anything of weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/tokenizer.h"

namespace pedigree {

struct TokenizerRelation {
  // identical    every id spells the same bytes (ids a file leaves unspelled fit anything)
  // extended     the subject's begins with the base's, and has more tokens behind them
  // truncated    the base's begins with the subject's
  // respecialed  they differ in special and added tokens alone
  // reordered    the same tokens under other ids
  // subset       all tokens of the subject are the base's, under other ids
  // superset     all tokens of the base are the subject's, under other ids
  // overlapping  most tokens of the smaller are in both
  // retrained    the same kind, and fewer than that in both
  // different    another kind of vocabulary
  std::string relation = {};
  std::uint64_t subject_tokens = 0;  // up to the last spelled id
  std::uint64_t base_tokens = 0;
  std::uint64_t common = 0;    // distinct tokens in both
  std::uint64_t smaller = 0;   // distinct tokens of the smaller of the two
  std::uint64_t same_ids = 0;  // ids that spell the same bytes on both sides
  // Extended or truncated: the ids only one side has, and the first few of their tokens.
  std::uint64_t first_appended = 0;
  std::uint64_t appended = 0;
  std::vector<std::string> shown_tokens = {};
  std::vector<std::uint64_t> changed_ids = {};  // respecialed: the first few
  std::string merges = {};          // equal, extended, truncated, different; "" when not listed
  std::string special_tokens = {};  // equal, different; "" when a side marks none
  std::string chat_template = {};   // equal, different, subject-only, base-only; "" without any

  bool operator==(const TokenizerRelation&) const = default;
};

TokenizerRelation relate_tokenizers(const Tokenizer& subject, const Tokenizer& base);

// Whether one tokenizer is the other's, in the contract's words, and why in a sentence or
// more.
std::string tokenizer_relation_answer(const TokenizerRelation& relation);
std::string tokenizer_relation_in_words(const TokenizerRelation& relation);

// " The base's is LLaMA's (32000 tokens)."; "" when neither is known.
std::string names_in_words(const Tokenizer& subject, const Tokenizer& base);

}  // namespace pedigree
