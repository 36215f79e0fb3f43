#include <doctest/doctest.h>

#include <bit>
#include <string>
#include <vector>

#include "model/tokenizer_files.h"

namespace pedigree {
namespace {

using Strings = std::vector<std::string>;

Tokenizer read(std::string_view text) {
  auto tokenizer = read_tokenizer_json({text, "tokenizer.json"});
  REQUIRE_MESSAGE(tokenizer.has_value(), tokenizer.error().message);
  return std::move(*tokenizer);
}

std::string refusal(std::string_view text) {
  const auto tokenizer = read_tokenizer_json({text, "tokenizer.json"});
  if (tokenizer) return "read";
  CHECK(tokenizer.error().file == "tokenizer.json");
  CHECK(tokenizer.error().severity == Severity::warning);
  return tokenizer.error().code;
}

// A protobuf field that holds bytes.
std::string field(unsigned number, std::string_view bytes) {
  std::string text(1, static_cast<char>(number << 3U | 2U));
  for (std::size_t size = bytes.size();; size >>= 7U) {
    if (size < 0x80) {
      text += static_cast<char>(size);
      break;
    }
    text += static_cast<char>(0x80U | (size & 0x7FU));
  }
  return text + std::string(bytes);
}

std::string number_field(unsigned number, unsigned value) {
  return {static_cast<char>(number << 3U), static_cast<char>(value)};
}

std::string score_field(float score) {
  const auto bits = std::bit_cast<std::uint32_t>(score);
  std::string text(1, static_cast<char>(2U << 3U | 5U));
  for (unsigned shift = 0; shift < 32; shift += 8) text += static_cast<char>(bits >> shift & 0xFFU);
  return text;
}

std::string piece(std::string_view text, unsigned type = 1) {
  return field(1, field(1, text) + score_field(-1.5F) + number_field(3, type));
}

Result<SentencePieceReading> read_pieces(std::string_view bytes) {
  return read_sentencepiece(std::as_bytes(std::span(bytes)), "tokenizer.model");
}

// Of ["a","b","ab"] and of ["a","b"], by an independent SHA-256.
constexpr std::string_view digest_a_b_ab =
    "9f4a5f735bd19c9aa420b66141ded5c1e31bbc9c46d2e0688f1194db918d74b0";
constexpr std::string_view digest_a_b =
    "cf6ab613e3942391f88ed698557e1680f160bd10e88c6b668c50360c10930e2b";

}  // namespace

TEST_CASE("a BPE vocabulary is ordered by id and digested with its merges") {
  const Tokenizer tokenizer = read(
      R"({"added_tokens":[],"model":{"type":"BPE","vocab":{"ab":2,"a":0,"b":1},"merges":["a b"]}})");
  CHECK(tokenizer.kind == "BPE");
  CHECK(tokenizer.tokens == Strings{"a", "b", "ab"});
  CHECK(tokenizer.merges == 1);
  CHECK(tokenizer.vocabulary_digest == digest_a_b_ab);
  CHECK(tokenizer.merges_digest == digest_a_b);
  CHECK(tokenizer.spelling == "raw");
}

TEST_CASE("merges as texts and as pairs are the same merges") {
  const Tokenizer pairs =
      read(R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}})");
  CHECK(pairs.merges == 1);
  CHECK(pairs.merges_digest == digest_a_b);
}

TEST_CASE("only pairs can hold a part with a space in it") {
  CHECK(read(R"({"model":{"vocab":{"a":0},"merges":[["a ","b"]]}})").merges == 1);
  CHECK(refusal(R"({"model":{"vocab":{"a":0},"merges":["a  b"]}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":0},"merges":["ab"]}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":0},"merges":[["a","b","c"]]}})") ==
        "tokenizer-malformed");
}

TEST_CASE("a Unigram vocabulary is a list whose positions are ids") {
  const Tokenizer tokenizer = read(
      R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["\u2581a",-1],["b",-2.5]]}})");
  CHECK(tokenizer.kind == "Unigram");
  CHECK(tokenizer.tokens == Strings{"<unk>",
                                    "\xE2\x96\x81"
                                    "a",
                                    "b"});
  CHECK(tokenizer.spelling == "metaspace");
  CHECK(tokenizer.merges_digest.empty());
}

TEST_CASE("added tokens extend the vocabulary and keep its spelling where it has one") {
  const Tokenizer tokenizer =
      read(R"({"model":{"type":"WordLevel","vocab":{"a":0,"b":1,"ab":2}},"added_tokens":[)"
           R"({"id":4,"content":"<x>","special":true},{"id":0,"content":"a"}]})");
  CHECK(tokenizer.tokens == Strings{"a", "b", "ab", "", "<x>"});
  CHECK(tokenizer.added == Strings{"a", "<x>"});
  CHECK(tokenizer.vocabulary_digest ==
        "63d0c27214779b39a81eae01c0a0c3d6a91b92d0c341d62b18ffac0c9adde370");
}

TEST_CASE("a vocabulary without a named type is told by what it holds") {
  CHECK(read(R"({"model":{"vocab":{"a":0},"merges":["a a"]}})").kind == "BPE");
  CHECK(read(R"({"model":{"vocab":[["a",0]]}})").kind == "Unigram");
  CHECK(read(R"({"model":{"vocab":{"a":0}}})").kind == "WordLevel");
}

TEST_CASE("ids that are shared, huge, negative or scattered are refused") {
  CHECK(refusal(R"({"model":{"vocab":{"a":0,"b":0}}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":0,"a":1}}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":16777216}}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":16777215}}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":-1}}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":1.0}}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{"vocab":{"a":{"b":1}}}})") == "tokenizer-malformed");
  CHECK(refusal(R"({"model":{},"added_tokens":[{"id":16777216,"content":"x"}]})") ==
        "tokenizer-malformed");
}

TEST_CASE("a tokenizer file that is cut off, empty or something else is refused with a place") {
  CHECK(refusal(R"({"model":{"vocab":{"a":0)") == "tokenizer-malformed");
  CHECK(refusal("") == "tokenizer-malformed");
  CHECK(refusal("[]") == "tokenizer-malformed");
  CHECK(refusal("{}") == "tokenizer-malformed");
  const std::string_view broken = "{\n\"model\": {\"vocab\": {\"a\":\n0 \"b\"";
  const auto tokenizer = read_tokenizer_json({broken, "tokenizer.json"});
  REQUIRE_FALSE(tokenizer.has_value());
  CHECK(tokenizer.error().line == 3);
}

TEST_CASE("GPT-2's pair of files gives the same digests as tokenizer.json") {
  const auto tokenizer =
      read_vocab_json({R"({"a":0,"ab":2,"b":1})", "vocab.json"},
                      NamedText{"#version: 0.2\r\na b\r\n", "merges.txt"}, std::nullopt);
  REQUIRE(tokenizer.has_value());
  CHECK(tokenizer->kind == "BPE");
  CHECK(tokenizer->file == "vocab.json");
  CHECK(tokenizer->vocabulary_digest == digest_a_b_ab);
  CHECK(tokenizer->merges_digest == digest_a_b);
}

TEST_CASE("a merge may begin with a hash anywhere but in the first line") {
  const auto tokenizer = read_vocab_json({R"({"a":0})", "vocab.json"},
                                         NamedText{"#version: 0.2\n# a\n## b\n", "merges.txt"},
                                         NamedText{R"({"<pad>":1})", "added_tokens.json"});
  REQUIRE(tokenizer.has_value());
  CHECK(tokenizer->merges == 2);
  CHECK(tokenizer->tokens == Strings{"a", "<pad>"});
  CHECK(tokenizer->added == Strings{"<pad>"});
}

TEST_CASE("a problem in merges.txt names that file and its line") {
  const auto tokenizer =
      read_vocab_json({R"({"a":0})", "vocab.json"},
                      NamedText{"#version: 0.2\na b\nc\n", "merges.txt"}, std::nullopt);
  REQUIRE_FALSE(tokenizer.has_value());
  CHECK(tokenizer.error().file == "merges.txt");
  CHECK(tokenizer.error().line == 3);
}

TEST_CASE("a word-piece list numbers its lines, the last empty one not counted") {
  const auto tokenizer = read_vocab_txt({"[PAD]\r\nthe\r\n##s\r\n", "vocab.txt"});
  REQUIRE(tokenizer.has_value());
  CHECK(tokenizer->kind == "WordPiece");
  CHECK(tokenizer->tokens == Strings{"[PAD]", "the", "##s"});
}

TEST_CASE("tiktoken ranks are spelled in the byte alphabet that tokenizer.json uses") {
  // "!", the space, newline, byte 0xAD and " a"
  const auto tokenizer = read_tiktoken({"IQ== 0\nIA== 1\nCg== 2\nrQ== 3\nIGE= 4\n", "x.tiktoken"});
  REQUIRE(tokenizer.has_value());
  CHECK(tokenizer->tokens == Strings{"!", "\xC4\xA0", "\xC4\x8A", "\xC5\x83",
                                     "\xC4\xA0"
                                     "a"});
  CHECK(tokenizer->spelling == "byte-level");
  for (const std::string_view bad :
       {"IQ==\n", "I*== 0\n", "IQ== x\n", "I 0\n", "IQ== 99999999\n"}) {
    CHECK_FALSE_MESSAGE(read_tiktoken({bad, "x.tiktoken"}).has_value(), bad);
  }
}

TEST_CASE("a SentencePiece model gives its pieces in order, unused ones empty") {
  const auto reading =
      read_pieces(piece("<unk>", 2) +
                  piece("\xE2\x96\x81"
                        "a") +
                  piece("x", 5) + piece("b") +
                  field(2, field(1, "/data/corpus.txt") + field(2, "tok") + number_field(3, 2)));
  REQUIRE(reading.has_value());
  CHECK(reading->tokenizer.kind == "BPE");
  CHECK(reading->tokenizer.tokens == Strings{"<unk>",
                                             "\xE2\x96\x81"
                                             "a",
                                             "", "b"});
  REQUIRE(reading->claims.size() == 2);
  CHECK(reading->claims[0].key == "trainer_spec.input");
  CHECK(reading->claims[0].value == "/data/corpus.txt");
}

TEST_CASE("a SentencePiece model cut at any byte is refused or shorter, never more") {
  const std::string whole = piece("<unk>", 2) + piece("hello") + piece("b");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto reading = read_pieces(std::string_view(whole).substr(0, size));
    if (!reading) {
      CHECK(reading.error().code == "tokenizer-malformed");
    } else {
      CHECK(reading->tokenizer.tokens.size() < 3);
    }
  }
}

TEST_CASE("lengths beyond the file and endless numbers are refused") {
  CHECK_FALSE(read_pieces("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F").has_value());
  CHECK_FALSE(read_pieces("\x0A\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80").has_value());
  CHECK_FALSE(read_pieces("\x0B\x01").has_value());
}

}  // namespace pedigree
