#include "model/vocabulary_sketch.h"

#include <algorithm>
#include <utility>

#include "model/token_bytes.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

std::vector<bool> added_marks(const Tokenizer& tokenizer) {
  std::vector<bool> marks(tokenizer.tokens.size());
  for (const std::uint32_t id : tokenizer.added_ids) {
    if (id < marks.size()) marks[id] = true;
  }
  return marks;
}

}  // namespace

VocabularyExtent vocabulary_extent(const Tokenizer& tokenizer) {
  const std::vector<bool> added = added_marks(tokenizer);
  VocabularyExtent extent;
  for (std::size_t id = 0; id < tokenizer.tokens.size(); ++id) {
    if (tokenizer.tokens[id].empty()) continue;
    extent.tokens = id + 1;
    if (!added[id]) extent.ordinary = id + 1;
  }
  return extent;
}

std::vector<PrefixDigest> prefix_digests(const Tokenizer& tokenizer,
                                         std::span<const std::uint64_t> sizes) {
  const std::vector<bool> added = added_marks(tokenizer);
  std::vector<PrefixDigest> digests;
  digests.reserve(sizes.size());
  StringListDigest all;
  StringListDigest ordinary;
  std::uint64_t id = 0;
  for (const std::uint64_t size : sizes) {
    if (size > tokenizer.tokens.size()) break;
    for (; id < size; ++id) {
      const std::string bytes = token_bytes(tokenizer.tokens[id], tokenizer.spelling);
      all.add(bytes);
      ordinary.add(added[id] ? std::string_view() : std::string_view(bytes));
    }
    digests.push_back({.tokens = size, .all = all.so_far(), .ordinary = ordinary.so_far()});
  }
  return digests;
}

std::uint64_t sketch_hash(std::string_view token) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char byte : token) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
  }
  hash = (hash ^ (hash >> 33U)) * 0xFF51AFD7ED558CCDU;
  hash = (hash ^ (hash >> 33U)) * 0xC4CEB9FE1A85EC53U;
  return hash ^ (hash >> 33U);
}

VocabularySketch sketch_vocabulary(const Tokenizer& tokenizer, std::size_t size) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> hashed;
  hashed.reserve(tokenizer.tokens.size());
  for (std::size_t id = 0; id < tokenizer.tokens.size(); ++id) {
    if (tokenizer.tokens[id].empty()) continue;
    hashed.emplace_back(sketch_hash(token_bytes(tokenizer.tokens[id], tokenizer.spelling)), id);
  }
  std::ranges::sort(hashed);
  const auto repeated =
      std::ranges::unique(hashed, {}, [](const auto& each) { return each.first; });
  hashed.erase(repeated.begin(), repeated.end());
  VocabularySketch sketch = {.distinct = hashed.size()};
  hashed.resize(std::min(hashed.size(), size));
  sketch.hashes.reserve(hashed.size());
  sketch.ids.reserve(hashed.size());
  for (const auto& [hash, id] : hashed) {
    sketch.hashes.push_back(hash);
    sketch.ids.push_back(id);
  }
  return sketch;
}

std::string vocabulary_set_digest(const Tokenizer& tokenizer) {
  std::vector<std::string> tokens;
  tokens.reserve(tokenizer.tokens.size());
  for (const std::string& token : tokenizer.tokens) {
    if (!token.empty()) tokens.push_back(token_bytes(token, tokenizer.spelling));
  }
  std::ranges::sort(tokens);
  const auto repeated = std::ranges::unique(tokens);
  tokens.erase(repeated.begin(), repeated.end());
  StringListDigest digest;
  for (const std::string& token : tokens) digest.add(token);
  return digest.finish();
}

}  // namespace pedigree
