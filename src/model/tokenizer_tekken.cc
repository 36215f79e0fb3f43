// tekken.json: ranked byte sequences as in tiktoken, special tokens, and a
// configuration that says how many of either the model has. Special tokens take
// the first ids, the vocabulary follows them; ranks beyond the configured size
// stand in the file and not in the model. Files up to version 7 may leave their
// special tokens to the library's source; those ids stay unspelled here.
#include <fmt/format.h>

#include <functional>
#include <utility>

#include "base/json.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_spelling.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";
using Kind = JsonEvent::Kind;

// Depths: root keys stand at 1, members of the config at 2, members of a list's
// entries at 3.
class TekkenJson {
 public:
  void operator()(const JsonEvent& event) {
    if (event.depth == 0) {
      if (event.kind != Kind::begin_object && event.kind != Kind::end_object) {
        malformed(code, "the file is not a JSON object", event.offset);
      }
      return;
    }
    if (event.kind == Kind::key && event.depth == 1) {
      section_ = std::string(event.text);
    } else if (section_ == "config") {
      config(event);
    } else if (section_ == "vocab") {
      list(event, "token_bytes", vocabulary_);
    } else if (section_ == "special_tokens") {
      list(event, "token_str", special_);
    }
  }

  Tokenizer finish(std::string_view file);

 private:
  struct Entry {
    std::string text = {};
    std::uint64_t rank = 0;
    std::uint64_t offset = 0;
  };

  void config(const JsonEvent& event) {
    if (event.depth != 2) return;
    if (event.kind == Kind::key) {
      field_ = std::string(event.text);
    } else if (event.kind == Kind::unsigned_integer) {
      if (field_ == "default_vocab_size") size_ = event.unsigned_integer;
      if (field_ == "default_num_special_tokens") special_count_ = event.unsigned_integer;
    }
  }

  void list(const JsonEvent& event, std::string_view text_key, std::vector<Entry>& entries) {
    if (event.depth == 1) {
      const bool good = event.kind == Kind::begin_array || event.kind == Kind::end_array ||
                        event.kind == Kind::null;
      if (!good) malformed(code, section_ + " is not a list", event.offset);
    } else if (event.depth == 2) {
      entry(event, entries);
    } else if (event.depth == 3 && event.kind == Kind::key) {
      field_ = std::string(event.text);
    } else if (event.depth == 3 && event.kind == Kind::string && field_ == text_key) {
      text_ = std::string(event.text);
    } else if (event.depth == 3 && event.kind == Kind::unsigned_integer && field_ == "rank") {
      rank_ = event.unsigned_integer;
    }
  }

  void entry(const JsonEvent& event, std::vector<Entry>& entries) {
    if (event.kind == Kind::begin_object) {
      text_.reset();
      rank_.reset();
    } else if (event.kind == Kind::end_object && text_ && rank_) {
      if (entries.size() >= Vocabulary::max_id) {
        malformed(code, "a list has over 2^24 tokens", event.offset);
      }
      entries.push_back({.text = std::move(*text_), .rank = *rank_, .offset = event.offset});
    } else {
      malformed(code, "a token is not an object with a rank and a text", event.offset);
    }
  }

  std::string section_;
  std::string field_;
  std::optional<std::string> text_;
  std::optional<std::uint64_t> rank_;
  std::optional<std::uint64_t> size_;
  std::optional<std::uint64_t> special_count_;
  std::vector<Entry> vocabulary_;
  std::vector<Entry> special_;
};

Tokenizer TekkenJson::finish(std::string_view file) {
  if (!size_ || !special_count_ || *special_count_ > *size_) {
    malformed(code, "config does not say how many tokens there are, and how many special ones");
  }
  const std::uint64_t ranks = *size_ - *special_count_;
  Vocabulary vocabulary;
  for (const Entry& entry : vocabulary_) {
    if (entry.rank >= ranks) continue;
    vocabulary.add(spelled_token(entry.text, entry.offset), *special_count_ + entry.rank,
                   entry.offset);
  }
  // With each id taken once, which finish() sees to, enough tokens are all tokens.
  if (vocabulary.size() != ranks) {
    malformed(code, fmt::format("{} tokens have a rank, where config asks for {}",
                                vocabulary.size(), ranks));
  }
  for (Entry& entry : special_) {
    if (entry.rank >= *special_count_) {
      malformed(code, "a special token's rank lies among the others'", entry.offset);
    }
    vocabulary.add_added(std::move(entry.text), entry.rank, entry.offset);
  }
  return vocabulary.finish("BPE", file);
}

}  // namespace

Result<Tokenizer> read_tekken(NamedText json) {
  TekkenJson reader;
  auto problem =
      read_json_events(json.text, json.file, {.bytes = max_tokenizer_bytes}, std::ref(reader));
  if (problem) return std::unexpected(tokenizer_problem(*problem, json));
  try {
    return reader.finish(json.file);
  } catch (Malformed& stop) {
    return std::unexpected(tokenizer_problem(stop.problem, json));
  }
}

}  // namespace pedigree
