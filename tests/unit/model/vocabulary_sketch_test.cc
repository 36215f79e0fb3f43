// Expected digests and hashes are scripts/vocabulary_readers.py's, which shares no code
// with the library.
#include "model/vocabulary_sketch.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace pedigree {
namespace {

// "<s>", byte 0x41, " a", "b" and an added "x".
Tokenizer five_tokens() {
  Tokenizer tokenizer;
  tokenizer.kind = "BPE";
  tokenizer.tokens = {"<s>", "<0x41>",
                      "\xE2\x96\x81"
                      "a",
                      "b", "x"};
  tokenizer.added = {"<s>", "x"};
  tokenizer.added_ids = {0, 4};
  tokenizer.spelling = "metaspace";
  return tokenizer;
}

}  // namespace

TEST_CASE("the sketch's hash is FNV-1a, mixed") {
  CHECK(sketch_hash("") == 0xefd01f60ba992926U);
  CHECK(sketch_hash("a") == 0x82a2a958a9bece5bU);
  CHECK(sketch_hash(" the") == 0x93f2861430242182U);
  CHECK(sketch_hash("\xE4\xBD\xA0") == 0x53862dad4b1e6121U);
}

TEST_CASE("digests are over what tokens stand for, with and without added ones") {
  const Tokenizer tokenizer = five_tokens();
  const VocabularyExtent extent = vocabulary_extent(tokenizer);
  CHECK(extent.tokens == 5);
  CHECK(extent.ordinary == 4);
  const std::vector<std::uint64_t> sizes = {4, 5, 6};
  const auto digests = prefix_digests(tokenizer, sizes);
  REQUIRE(digests.size() == 2);
  CHECK(digests[0].ordinary == "a3f6adbc9669f6cebf3e3fdf6020c433aab3895b0410c0d9927cf6718b932453");
  CHECK(digests[1].all == "536dd48ba79f7f16043d38b37f218d76435501f270dd4f89977567b777b83f0a");
  CHECK(vocabulary_set_digest(tokenizer) ==
        "0811aca1bd8bf85e1795c2356c01660a3c0b772da16de7ee5c6573e50332c513");
}

TEST_CASE("a prefix's digest is that of the shorter vocabulary") {
  Tokenizer longer = five_tokens();
  longer.tokens.emplace_back("and more");
  const std::vector<std::uint64_t> sizes = {5};
  CHECK(prefix_digests(longer, sizes)[0].all == prefix_digests(five_tokens(), sizes)[0].all);
}

TEST_CASE("the sketch keeps the smallest hashes with the lowest ids") {
  Tokenizer tokenizer = five_tokens();
  tokenizer.tokens.emplace_back("x");
  tokenizer.tokens.emplace_back();
  const VocabularySketch sketch = sketch_vocabulary(tokenizer, 4);
  CHECK(sketch.distinct == 5);
  CHECK(sketch.hashes == std::vector<std::uint64_t>{0x06a4f9505be85405U, 0x3ca5eb359684f363U,
                                                    0x6e673288764ad2d0U, 0x97d871e66d9dcfaeU});
  CHECK(sketch.ids == std::vector<std::uint64_t>{4, 2, 3, 0});
}

TEST_CASE("byte-level and metaspace spellings of one vocabulary have one digest") {
  Tokenizer byte_level = five_tokens();
  byte_level.spelling = "byte-level";
  byte_level.tokens[1] = "A";
  byte_level.tokens[2] =
      "\xC4\xA0"
      "a";
  const std::vector<std::uint64_t> sizes = {5};
  CHECK(prefix_digests(byte_level, sizes)[0].all == prefix_digests(five_tokens(), sizes)[0].all);
}

}  // namespace pedigree
