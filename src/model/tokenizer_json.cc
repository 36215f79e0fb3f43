#include <algorithm>
#include <utility>

#include "base/json.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

constexpr std::string_view code = "tokenizer-malformed";
using Kind = JsonEvent::Kind;

// The last two keys open, and what they mean. Depths: root keys stand at 1, the
// model's at 2, the vocabulary's at 3.
class TokenizerJson {
 public:
  void operator()(const JsonEvent& event) {
    if (event.depth == 0) {
      if (event.kind != Kind::begin_object && event.kind != Kind::end_object) {
        malformed(code, "the file is not a JSON object", event.offset);
      }
      return;
    }
    if (event.kind == Kind::key && event.depth == 1) {
      section_ = event.text == "model"          ? Section::model
                 : event.text == "added_tokens" ? Section::added
                                                : Section::other;
      field_ = Field::other;
    }
    if (section_ == Section::model) model(event);
    if (section_ == Section::added) added(event);
  }

  Vocabulary vocabulary;
  std::string kind;
  bool list = false;

 private:
  // Millions of events are told apart by these, not by comparing texts.
  enum class Section : unsigned char { other, model, added };
  enum class Field : unsigned char { other, type, vocab, merges, content, id };

  static Field field_named(std::string_view key) {
    if (key == "type") return Field::type;
    if (key == "vocab") return Field::vocab;
    if (key == "merges") return Field::merges;
    if (key == "content") return Field::content;
    return key == "id" ? Field::id : Field::other;
  }

  void model(const JsonEvent& event) {
    if (event.kind == Kind::key && event.depth == 2) field_ = field_named(event.text);
    if (event.kind == Kind::string && event.depth == 2 && field_ == Field::type) {
      kind = std::string(event.text);
    }
    if (event.depth < 2) field_ = Field::other;
    if (field_ == Field::vocab) vocab(event);
    if (field_ == Field::merges) merge(event);
  }

  void vocab(const JsonEvent& event) {
    if (event.depth == 2) {
      if (event.kind == Kind::begin_array) list = true;
      return;
    }
    if (list) {
      piece(event);
    } else if (event.kind == Kind::key && event.depth == 3) {
      token_ = std::string(event.text);
    } else if (event.kind == Kind::unsigned_integer && event.depth == 3) {
      vocabulary.add(std::exchange(token_, {}), event.unsigned_integer, event.offset);
    } else {
      malformed(code, "a token's id is not a whole number", event.offset);
    }
  }

  // [piece, score], whose position is the id.
  void piece(const JsonEvent& event) {
    if (event.depth == 3 && event.kind == Kind::begin_array) {
      parts_ = 0;
    } else if (event.depth == 4 && event.kind == Kind::string && parts_ == 0) {
      token_ = std::string(event.text);
      ++parts_;
    } else if (event.depth == 4 && parts_ == 1 &&
               (event.kind == Kind::number || event.kind == Kind::integer ||
                event.kind == Kind::unsigned_integer)) {
      ++parts_;
    } else if (event.depth == 3 && event.kind == Kind::end_array && parts_ == 2) {
      vocabulary.append(std::exchange(token_, {}));
    } else {
      malformed(code, "a piece is not a text and its score", event.offset);
    }
  }

  void merge(const JsonEvent& event) {
    if (event.depth == 2) return;
    if (event.depth == 3 && event.kind == Kind::string) {
      vocabulary.add_merge_line(event.text, event.offset);
    } else if (event.depth == 3 && event.kind == Kind::begin_array) {
      parts_ = 0;
    } else if (event.depth == 4 && event.kind == Kind::string && parts_ < 2) {
      (parts_++ == 0 ? left_ : right_).assign(event.text);
    } else if (event.depth == 3 && event.kind == Kind::end_array && parts_ == 2) {
      vocabulary.add_merge(left_, right_);
    } else {
      malformed(code, "a merge is not two texts", event.offset);
    }
  }

  void added(const JsonEvent& event) {
    if (event.depth == 2 && event.kind == Kind::begin_object) {
      content_.reset();
      id_.reset();
    } else if (event.depth == 3 && event.kind == Kind::key) {
      field_ = field_named(event.text);
    } else if (event.depth == 3 && event.kind == Kind::string && field_ == Field::content) {
      content_ = std::string(event.text);
    } else if (event.depth == 3 && event.kind == Kind::unsigned_integer && field_ == Field::id) {
      id_ = event.unsigned_integer;
    } else if (event.depth == 2 && event.kind == Kind::end_object) {
      if (!content_ || !id_) malformed(code, "an added token lacks id or content", event.offset);
      vocabulary.add_added(std::move(*content_), *id_, event.offset);
      content_.reset();
      id_.reset();
    }
  }

  Section section_ = Section::other;
  Field field_ = Field::other;
  std::string token_;
  std::string left_;
  std::string right_;
  unsigned parts_ = 0;
  std::optional<std::string> content_;
  std::optional<std::uint64_t> id_;
};

// Old files name no type.
std::string inferred_kind(const TokenizerJson& reader) {
  if (reader.list) return "Unigram";
  return reader.vocabulary.merges() > 0 ? "BPE" : "WordLevel";
}

// A flat map from token to id (vocab.json, added_tokens.json).
template <class Add>
std::optional<Problem> read_flat_map(NamedText json, const Add& add) {
  std::string token;
  auto problem = read_json_events(
      json.text, json.file, {.bytes = max_tokenizer_bytes}, [&](const JsonEvent& event) {
        if (event.kind == Kind::key) {
          token = std::string(event.text);
        } else if (event.depth == 1 && event.kind == Kind::unsigned_integer) {
          add(std::exchange(token, {}), event.unsigned_integer, event.offset);
        } else if (event.depth != 0 ||
                   (event.kind != Kind::begin_object && event.kind != Kind::end_object)) {
          malformed(code, "the file is not a map from token to id", event.offset);
        }
      });
  if (problem) return tokenizer_problem(*problem, json);
  return std::nullopt;
}

void read_merge_lines(std::string_view text, Vocabulary& vocabulary) {
  std::size_t at = 0;
  bool first = true;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // Only the first line may be the version comment; "#" also begins merges.
    const bool comment = std::exchange(first, false) && line.starts_with("#version");
    if (!comment && !line.empty()) vocabulary.add_merge_line(line, at);
    at = end + 1;
  }
}

}  // namespace

Problem tokenizer_problem(const Problem& cause, NamedText source) {
  Problem problem = make_problem(code, std::string(source.file), cause.message, cause.offset);
  problem.line = cause.line;
  if (!problem.line && problem.offset) problem.line = line_of(source.text, *problem.offset);
  return problem;
}

Result<Tokenizer> read_tokenizer_json(NamedText json) {
  TokenizerJson reader;
  auto problem =
      read_json_events(json.text, json.file, {.bytes = max_tokenizer_bytes}, std::ref(reader));
  if (problem) return std::unexpected(tokenizer_problem(*problem, json));
  try {
    return reader.vocabulary.finish(reader.kind.empty() ? inferred_kind(reader) : reader.kind,
                                    json.file);
  } catch (Malformed& stop) {
    return std::unexpected(tokenizer_problem(stop.problem, json));
  }
}

Result<Tokenizer> read_vocab_json(NamedText vocab, std::optional<NamedText> merges,
                                  std::optional<NamedText> added) {
  Vocabulary vocabulary;
  auto problem = read_flat_map(vocab, [&](std::string token, std::uint64_t id, std::uint64_t at) {
    vocabulary.add(std::move(token), id, at);
  });
  if (!problem && added) {
    problem = read_flat_map(*added, [&](std::string token, std::uint64_t id, std::uint64_t at) {
      vocabulary.add_added(std::move(token), id, at);
    });
  }
  if (problem) return std::unexpected(std::move(*problem));
  NamedText place = vocab;
  try {
    if (merges) {
      place = *merges;
      read_merge_lines(merges->text, vocabulary);
    }
    place = vocab;
    return vocabulary.finish(vocabulary.merges() > 0 ? "BPE" : "WordLevel", vocab.file);
  } catch (Malformed& stop) {
    return std::unexpected(tokenizer_problem(stop.problem, place));
  }
}

}  // namespace pedigree
