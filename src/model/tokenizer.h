// A vocabulary as bytes: what is needed to tell whether two models share one,
// and to match embedding rows by token and not by number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pedigree {

// The text a chat model's turns are laid out by, as a digest: it is a program in Jinja,
// and is never run here.
struct ChatTemplate {
  std::string digest = {};  // sha256 of the text as Jinja reads it, hex
  std::string file = {};
  std::uint64_t bytes = 0;
};

// A known vocabulary that this one is, begins with, or resembles.
struct VocabularyMatch {
  enum class How : unsigned char {
    identical,   // the same tokens under the same ids
    extended,    // the known one, and tokens behind it
    ordinary,    // the same tokens but for special and added ones
    reordered,   // the same tokens under other ids
    resembling,  // an estimate from a sketch
  };
  How how = How::resembling;
  std::string id = {};
  std::string name = {};     // "LLaMA"
  std::uint64_t tokens = 0;  // of the known one
  std::uint64_t added = 0;   // extended: how many tokens stand behind it
  // Of the tokens in either, the share in both, and the standard error of the estimate.
  double resemblance = 1;
  double error = 0;
  double same_ids = 1;  // of the sampled common tokens, the share under one id
};

// In words that stand after "its vocabulary is ": "LLaMA's (32000 tokens)".
std::string match_in_words(const VocabularyMatch& match);

struct Tokenizer {
  std::string kind = {};                 // "BPE", "Unigram", "WordPiece", "WordLevel"
  std::string file = {};                 // where it was read from
  std::vector<std::string> tokens = {};  // by id; as spelled in the file; "" for unused ids
  // Special and added tokens, by id order, and their ids.
  std::vector<std::string> added = {};
  std::vector<std::uint32_t> added_ids = {};
  std::uint64_t merges = 0;                      // how many
  std::string merges_digest = {};                // sha256 over the ordered pairs, hex; "" when none
  std::vector<std::uint64_t> merge_hashes = {};  // of the pairs, to tell where two lists part
  std::string vocabulary_digest = {};            // sha256 over id-ordered tokens, hex
  // How tokens spell bytes: "byte-level" (GPT-2's printable remap), "metaspace"
  // (a block character for the space), or "raw".
  std::string spelling = {};
  std::string bytes_digest = {};  // sha256 over what tokens stand for, in id order, hex
  std::optional<ChatTemplate> chat_template = {};
  // Best first: all that are exact, else at most two resembling ones.
  std::vector<VocabularyMatch> known = {};
};

}  // namespace pedigree
