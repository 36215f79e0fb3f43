// Collects a vocabulary from whatever file holds it, and closes it into a
// Tokenizer with its digests. Everything that cannot be throws Malformed with
// tokenizer-malformed: the readers of one file each catch it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "model/tokenizer.h"

namespace pedigree {

// Length-prefixed strings into one digest, in large pieces.
class StringListDigest {
 public:
  void add(std::string_view text);
  std::string finish();  // hex
  std::string so_far();  // hex; goes on

 private:
  Sha256 hash_;
  std::string pending_;
};

class Vocabulary {
 public:
  static constexpr std::uint64_t max_id = std::uint64_t{1} << 24U;  // exclusive

  // A token of a map from token to id; `offset` is where the file says so.
  void add(std::string token, std::uint64_t id, std::uint64_t offset);

  // The next token of a list whose positions are the ids.
  void append(std::string token);

  // A token added behind or over the vocabulary. One already there keeps the
  // vocabulary's spelling.
  void add_added(std::string token, std::uint64_t id, std::uint64_t offset);

  void add_merge(std::string_view left, std::string_view right);
  void add_merge_line(std::string_view line, std::uint64_t offset);  // "left right"

  std::size_t size() const { return tokens_.size(); }
  std::uint64_t merges() const { return merges_; }

  // Throws when two tokens share an id, one token has two, or ids leave gaps that
  // no real vocabulary has.
  Tokenizer finish(std::string kind, std::string_view file);

 private:
  struct Entry {
    std::string token = {};
    std::uint64_t id = 0;
    std::uint64_t offset = 0;
  };
  void refuse_repeated_tokens() const;

  std::vector<Entry> tokens_;
  std::vector<Entry> added_;
  bool from_map_ = false;
  std::uint64_t merges_ = 0;
  std::vector<std::uint64_t> merge_hashes_;
  StringListDigest merges_digest_;
};

}  // namespace pedigree
