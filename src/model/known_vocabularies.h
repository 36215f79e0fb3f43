// The shipped table of known vocabularies (vocabularies/*.json, made by
// scripts/make-vocabularies), and a vocabulary's place among them.
//
// A match says whose tokens these are. It says nothing of weights: models trained apart
// share vocabularies every day.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/embedded.h"
#include "base/problem.h"
#include "model/tokenizer.h"

namespace pedigree {

struct KnownVocabulary {
  std::string id = {};
  std::string name = {};
  std::string kind = {};
  std::uint64_t tokens = 0;  // up to the last spelled id
  std::string digest = {};   // of the bytes tokens stand for, in id order
  // The same without special and added tokens, whose places stay empty.
  std::uint64_t ordinary_tokens = 0;
  std::string ordinary_digest = {};
  std::uint64_t distinct = 0;
  std::string set_digest = {};             // of the distinct tokens, sorted
  std::vector<std::uint64_t> hashes = {};  // the smallest of the distinct tokens', ascending
  std::vector<std::uint64_t> ids = {};     // of these tokens
  std::vector<std::string> models = {};    // public names of models that use it
};

std::span<const EmbeddedFile> embedded_vocabularies();

Result<KnownVocabulary> parse_known_vocabulary(std::string_view text, std::string_view file);

std::span<const KnownVocabulary> known_vocabularies();

// Sets `bytes_digest` and `known`.
void find_known_vocabularies(Tokenizer& tokenizer);

// Estimated from the sketches of both, whatever the exact answer is.
VocabularyMatch resemblance_to(const Tokenizer& tokenizer, const KnownVocabulary& known);

}  // namespace pedigree
