#include "model/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "model/chat_template.h"
#include "model/manifest.h"
#include "model/tokenizer_files.h"
#include "model/tokenizer_open.h"

namespace pedigree {
namespace {

// What a file called like SentencePiece's is when it is neither that nor tiktoken's lines.
Result<Tokenizer> neither_model(const SideText& model, Problem cause) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> beginnings = {{
      {"PK", "a zip archive"},
      {"\x1F\x8B", "a gzip stream"},
      {"\x80", "a pickle"},
      {"<", "a web page"},
      {"{", "JSON"},
      {"GGUF", "GGUF"},
  }};
  const bool is_first_line = cause.offset.value_or(0) == 0;
  const auto known = std::ranges::find_if(
      beginnings, [&](const auto& each) { return model.text.starts_with(each.first); });
  if (!is_first_line && known == beginnings.end()) return std::unexpected(std::move(cause));
  cause.message =
      fmt::format("it is neither SentencePiece's file nor tiktoken's{}",
                  known == beginnings.end() ? std::string()
                                            : fmt::format("; it begins like {}", known->second));
  return std::unexpected(std::move(cause));
}

// tokenizer.json holds everything in one file, so it comes first; a file that is
// not understood is a problem and the next kind is tried.
class TokenizerOpener {
 public:
  TokenizerOpener(const ModelLayout& layout, std::string_view folder)
      : layout_(layout), folder_(folder) {}

  TokenizerOpening open() {
    const bool found = from_json() || from_tekken() || from_vocab_json() || from_model() ||
                       from_tiktoken() || from_vocab_txt();
    if (std::optional<Tokenizer>& read = opening_.tokenizer; found && read) {
      read->chat_template = find_chat_template(layout_, folder_, opening_.problems);
    }
    return std::move(opening_);
  }

 private:
  std::optional<SideText> text(std::string_view leaf) {
    return read_side_file(layout_, folder_, leaf, max_tokenizer_bytes, opening_.problems);
  }

  bool take(Result<Tokenizer> tokenizer) {
    if (!tokenizer) {
      opening_.problems.push_back(std::move(tokenizer.error()));
      return false;
    }
    opening_.tokenizer = std::move(*tokenizer);
    return true;
  }

  bool from_json() {
    const auto json = text("tokenizer.json");
    return json && take(read_tokenizer_json({.text = json->text, .file = json->file}));
  }

  bool from_tekken() {
    const auto json = text("tekken.json");
    return json && take(read_tekken({.text = json->text, .file = json->file}));
  }

  bool from_vocab_json() {
    const auto vocab = text("vocab.json");
    if (!vocab) return false;
    const auto merges = text("merges.txt");
    const auto added = text("added_tokens.json");
    std::optional<NamedText> merges_text;
    std::optional<NamedText> added_text;
    if (merges) merges_text = NamedText{.text = merges->text, .file = merges->file};
    if (added) added_text = NamedText{.text = added->text, .file = added->file};
    return take(
        read_vocab_json({.text = vocab->text, .file = vocab->file}, merges_text, added_text));
  }

  // SentencePiece's protobuf begins with a piece; Llama 3 keeps tiktoken's text
  // under the same name. (spiece.model and sentencepiece.bpe.model stay unread: some
  // families shift their ids against the file's.)
  bool from_model() {
    const auto model = text("tokenizer.model");
    if (!model) return false;
    if (!model->text.starts_with('\n')) {
      auto ranks = read_tiktoken({.text = model->text, .file = model->file});
      return take(ranks ? std::move(ranks) : neither_model(*model, std::move(ranks.error())));
    }
    auto reading = read_sentencepiece(std::as_bytes(std::span(model->text)), model->file);
    if (!reading) {
      opening_.problems.push_back(std::move(reading.error()));
      return false;
    }
    opening_.tokenizer = std::move(reading->tokenizer);
    opening_.claims = std::move(reading->claims);
    return true;
  }

  bool from_tiktoken() {
    for (const ListedFile& file : layout_.files) {
      if (!file.path.ends_with(".tiktoken")) continue;
      const auto ranks = text(file.path);
      return ranks && take(read_tiktoken({.text = ranks->text, .file = ranks->file}));
    }
    return false;
  }

  bool from_vocab_txt() {
    const auto vocab = text("vocab.txt");
    return vocab && take(read_vocab_txt({.text = vocab->text, .file = vocab->file}));
  }

  const ModelLayout& layout_;
  std::string_view folder_;
  TokenizerOpening opening_;
};

}  // namespace

TokenizerOpening open_tokenizer(const ModelLayout& layout, std::string_view folder) {
  return TokenizerOpener(layout, folder).open();
}

}  // namespace pedigree
