#include "model/tokenizer_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/problem.h"
#include "base/text.h"
#include "model/vocabulary_sketch.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";

// GPT-2's byte alphabet spells the space as U+0120, SentencePiece as U+2581.
std::string spelling_of(const std::vector<std::string>& tokens) {
  std::size_t byte_level = 0;
  std::size_t metaspace = 0;
  for (const std::string& token : tokens) {
    if (token.starts_with("\xC4\xA0")) ++byte_level;
    if (token.starts_with("\xE2\x96\x81")) ++metaspace;
  }
  if (byte_level == 0 && metaspace == 0) return "raw";
  return byte_level >= metaspace ? "byte-level" : "metaspace";
}

std::string quoted(std::string_view token) {
  return "\"" + shown(percent_escaped(token.substr(0, 80))) + "\"";
}

}  // namespace

void StringListDigest::add(std::string_view text) {
  std::array<char, 8> size = {};
  for (std::size_t i = 0; i < size.size(); ++i) {
    size[i] = static_cast<char>((std::uint64_t{text.size()} >> (8 * i)) & 0xFFU);
  }
  pending_.append(size.data(), size.size());
  pending_ += text;
  if (pending_.size() < 65'536) return;
  hash_.update(std::string_view(pending_));
  pending_.clear();
}

std::string StringListDigest::finish() {
  hash_.update(std::string_view(pending_));
  pending_.clear();
  return to_hex(hash_.finish());
}

std::string StringListDigest::so_far() {
  hash_.update(std::string_view(pending_));
  pending_.clear();
  return to_hex(hash_.so_far());
}

void Vocabulary::add(std::string token, std::uint64_t id, std::uint64_t offset) {
  if (id >= max_id) malformed(code, fmt::format("the token id {} is beyond 2^24", id), offset);
  from_map_ = true;
  tokens_.push_back({.token = std::move(token), .id = id, .offset = offset});
}

void Vocabulary::append(std::string token) {
  if (tokens_.size() >= max_id) malformed(code, "the vocabulary has over 2^24 tokens");
  const std::uint64_t id = tokens_.size();
  tokens_.push_back({.token = std::move(token), .id = id});
}

void Vocabulary::add_added(std::string token, std::uint64_t id, std::uint64_t offset) {
  if (id >= max_id) malformed(code, fmt::format("the token id {} is beyond 2^24", id), offset);
  added_.push_back({.token = std::move(token), .id = id, .offset = offset});
}

void Vocabulary::add_merge(std::string_view left, std::string_view right) {
  merges_digest_.add(left);
  merges_digest_.add(right);
  merge_hashes_.push_back(sketch_hash(left) * 3 + sketch_hash(right));
  ++merges_;
}

void Vocabulary::add_merge_line(std::string_view line, std::uint64_t offset) {
  const std::size_t space = line.find(' ');
  if (space == line.npos || space == 0 || space + 1 == line.size() ||
      line.find(' ', space + 1) != line.npos) {
    malformed(code, "a merge is not two parts with one space between them", offset);
  }
  add_merge(line.substr(0, space), line.substr(space + 1));
}

void Vocabulary::refuse_repeated_tokens() const {
  if (!from_map_) return;
  // Sorted by a hash first, which is twice as quick as a set; where hashes are made to
  // collide, by the tokens themselves.
  struct Hashed {
    std::uint64_t hash = 0;
    const Entry* entry = nullptr;
  };
  std::vector<Hashed> hashed;
  hashed.reserve(tokens_.size());
  for (const Entry& entry : tokens_) {
    hashed.push_back({.hash = sketch_hash(entry.token), .entry = &entry});
  }
  std::ranges::sort(hashed, [](const Hashed& one, const Hashed& other) {
    if (one.hash != other.hash) return one.hash < other.hash;
    if (one.entry->token != other.entry->token) return one.entry->token < other.entry->token;
    return one.entry < other.entry;
  });
  const auto repeated =
      std::ranges::adjacent_find(hashed, [](const Hashed& one, const Hashed& other) {
        return one.hash == other.hash && one.entry->token == other.entry->token;
      });
  if (repeated == hashed.end()) return;
  const Entry& second = *std::next(repeated)->entry;
  malformed(code, fmt::format("the token {} stands twice", quoted(second.token)), second.offset);
}

Tokenizer Vocabulary::finish(std::string kind, std::string_view file) {
  refuse_repeated_tokens();
  std::uint64_t count = 0;
  for (const auto* list : {&tokens_, &added_}) {
    for (const Entry& entry : *list) count = std::max(count, entry.id + 1);
  }
  const std::uint64_t entries = tokens_.size() + added_.size();
  if (entries == 0) malformed(code, "there are no tokens");
  // Reserved blocks leave gaps in real vocabularies, but none this wide.
  if (count > 8 * entries + 65'536) {
    malformed(code, fmt::format("{} tokens have ids up to {}", entries, count - 1));
  }
  Tokenizer tokenizer;
  tokenizer.kind = std::move(kind);
  tokenizer.file = std::string(file);
  tokenizer.tokens.resize(static_cast<std::size_t>(count));
  std::vector<bool> taken(static_cast<std::size_t>(count));
  for (Entry& entry : tokens_) {
    const auto id = static_cast<std::size_t>(entry.id);
    if (taken[id]) {
      malformed(code,
                fmt::format("the tokens {} and {} share the id {}", quoted(tokenizer.tokens[id]),
                            quoted(entry.token), id),
                entry.offset);
    }
    taken[id] = true;
    tokenizer.tokens[id] = std::move(entry.token);
  }
  std::ranges::stable_sort(added_, {}, &Entry::id);
  for (Entry& entry : added_) {
    const auto id = static_cast<std::size_t>(entry.id);
    if (!taken[id]) tokenizer.tokens[id] = entry.token;
    taken[id] = true;
    tokenizer.added.push_back(std::move(entry.token));
    tokenizer.added_ids.push_back(static_cast<std::uint32_t>(id));
  }
  StringListDigest digest;
  for (const std::string& token : tokenizer.tokens) digest.add(token);
  tokenizer.vocabulary_digest = digest.finish();
  tokenizer.merges = merges_;
  tokenizer.merge_hashes = std::move(merge_hashes_);
  if (merges_ > 0) tokenizer.merges_digest = merges_digest_.finish();
  tokenizer.spelling = spelling_of(tokenizer.tokens);
  return tokenizer;
}

}  // namespace pedigree
