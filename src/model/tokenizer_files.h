// One reader per file a vocabulary comes in. Each takes the whole file and
// returns a Tokenizer or the problem tokenizer-malformed with its place.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/problem.h"
#include "model/claims.h"
#include "model/tokenizer.h"

namespace pedigree {

constexpr std::size_t max_tokenizer_bytes = std::size_t{64} << 20U;

struct NamedText {
  std::string_view text = {};
  std::string_view file = {};
};

// `cause` as a problem of the tokenizer in `source`: code, file, line.
Problem tokenizer_problem(const Problem& cause, NamedText source);

// tokenizer.json, as events: a large vocabulary never becomes a tree.
Result<Tokenizer> read_tokenizer_json(NamedText json);

// GPT-2's pair of files, and the slow tokenizers' added_tokens.json where there
// is one. A missing merges file leaves a WordLevel vocabulary.
Result<Tokenizer> read_vocab_json(NamedText vocab, std::optional<NamedText> merges,
                                  std::optional<NamedText> added);

// WordPiece: line number is id.
Result<Tokenizer> read_vocab_txt(NamedText vocab);

// tiktoken: lines of base64 and rank, spelled in GPT-2's byte alphabet here so
// that they meet the same vocabulary's tokenizer.json.
Result<Tokenizer> read_tiktoken(NamedText ranks);

// tekken.json: the same, with special tokens and sizes beside them.
Result<Tokenizer> read_tekken(NamedText json);

struct SentencePieceReading {
  Tokenizer tokenizer = {};
  std::vector<Claim> claims = {};  // file names the trainer left inside
};

// tokenizer.model as written by SentencePiece: a protobuf, walked by hand within
// its own bytes.
Result<SentencePieceReading> read_sentencepiece(std::span<const std::byte> bytes,
                                                std::string_view file);

}  // namespace pedigree
