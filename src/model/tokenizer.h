// A vocabulary as bytes: what is needed to tell whether two models share one,
// and to match embedding rows by token and not by number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pedigree {

struct Tokenizer {
  std::string kind = {};                 // "BPE", "Unigram", "WordPiece", "WordLevel"
  std::string file = {};                 // where it was read from
  std::vector<std::string> tokens = {};  // by id; as spelled in the file; "" for unused ids
  std::vector<std::string> added = {};   // added tokens, by id order
  std::uint64_t merges = 0;              // how many
  std::string merges_digest = {};        // sha256 over the ordered pairs, hex; "" when none
  std::string vocabulary_digest = {};    // sha256 over id-ordered tokens, hex
  // How tokens spell bytes: "byte-level" (GPT-2's printable remap), "metaspace"
  // (a block character for the space), or "raw".
  std::string spelling = {};
};

}  // namespace pedigree
