// Digests and sketches over what a vocabulary's tokens stand for, whichever alphabet
// and file they came in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

namespace pedigree {

// Of the first so many tokens: with all of them, and with special and added ones left out.
struct PrefixDigest {
  std::uint64_t tokens = 0;
  std::string all = {};
  std::string ordinary = {};
};

struct VocabularyExtent {
  std::uint64_t tokens = 0;    // up to the last spelled id
  std::uint64_t ordinary = 0;  // up to the last that is neither special nor added
};

VocabularyExtent vocabulary_extent(const Tokenizer& tokenizer);

// One for each of `sizes` (ascending) that the vocabulary reaches, in one pass.
std::vector<PrefixDigest> prefix_digests(const Tokenizer& tokenizer,
                                         std::span<const std::uint64_t> sizes);

// FNV-1a over the bytes, mixed: quick, and no defence against tokens made to collide,
// so that it serves estimates alone.
std::uint64_t sketch_hash(std::string_view token);

// The `size` smallest hashes of the distinct tokens, ascending, with the lowest id of each.
struct VocabularySketch {
  std::uint64_t distinct = 0;
  std::vector<std::uint64_t> hashes = {};
  std::vector<std::uint64_t> ids = {};
};
VocabularySketch sketch_vocabulary(const Tokenizer& tokenizer, std::size_t size);

// Over the distinct tokens, sorted.
std::string vocabulary_set_digest(const Tokenizer& tokenizer);

}  // namespace pedigree
