// The vocabulary in a GGUF header. Converters pad it with unused tokens, and write
// WordPiece tokens with a mark before words in place of one before their parts; both
// are taken back here, so that it meets the same vocabulary in a file of its own.
#include <fmt/format.h>

#include <utility>

#include "model/chat_template.h"
#include "model/gguf_header.h"
#include "model/tokenizer_vocabulary.h"

namespace pedigree {
namespace {

constexpr std::string_view word_mark = "\xE2\x96\x81";

enum class Use { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct Lists {
  const std::vector<std::string>& tokens;
  const std::vector<double>* types = nullptr;

  Use use(std::size_t id) const {
    if (types == nullptr || id >= types->size()) return Use::normal;
    const double type = (*types)[id];
    return type >= 1 && type <= 6 ? static_cast<Use>(static_cast<int>(type)) : Use::normal;
  }
  bool is_added(std::size_t id) const {
    return use(id) == Use::unknown || use(id) == Use::control || use(id) == Use::user_defined;
  }
};

std::string kind_of(std::string_view model) {
  if (model == "bert") return "WordPiece";
  if (model == "t5") return "Unigram";
  return "BPE";  // "llama" is SentencePiece's kind of it, "gpt2" the other
}

std::string wordpiece(const std::string& token) {
  return token.starts_with(word_mark) ? token.substr(word_mark.size()) : "##" + token;
}

// Converters have typed their padding in several ways, but always named it by its id.
bool is_padding(const Lists& lists, std::size_t id) {
  const std::string& token = lists.tokens[id];
  if (!token.starts_with("[PAD")) return false;
  return lists.use(id) == Use::unused || token == fmt::format("[PAD{}]", id);
}

void add_tokens(const Lists& lists, bool is_wordpiece, Vocabulary& vocabulary) {
  std::size_t count = lists.tokens.size();
  while (count > 0 && is_padding(lists, count - 1)) --count;
  for (std::size_t id = 0; id < count; ++id) {
    const std::string& token = lists.tokens[id];
    const bool plain = !is_wordpiece || lists.use(id) == Use::control;
    vocabulary.append(plain ? token : wordpiece(token));
  }
  for (std::size_t id = 0; id < count; ++id) {
    if (lists.is_added(id)) vocabulary.add_added(lists.tokens[id], id, 0);
  }
}

std::uint64_t place_of(std::span<const HeaderField> fields, std::string_view key) {
  for (const HeaderField& field : fields) {
    if (field.key == key) return field.offset;
  }
  return 0;
}

}  // namespace

Result<std::optional<Tokenizer>> read_header_tokenizer(std::span<const HeaderField> fields,
                                                       std::string_view file) {
  constexpr std::string_view tokens_key = "tokenizer.ggml.tokens";
  constexpr std::string_view merges_key = "tokenizer.ggml.merges";
  const auto* tokens = header_value<std::vector<std::string>>(fields, tokens_key);
  if (tokens == nullptr || tokens->empty()) return std::optional<Tokenizer>();
  const auto* model = header_value<std::string>(fields, "tokenizer.ggml.model");
  const std::string kind = kind_of(model == nullptr ? std::string_view() : *model);
  const Lists lists = {
      .tokens = *tokens,
      .types = header_value<std::vector<double>>(fields, "tokenizer.ggml.token_type")};
  try {
    Vocabulary vocabulary;
    add_tokens(lists, kind == "WordPiece", vocabulary);
    if (const auto* merges = header_value<std::vector<std::string>>(fields, merges_key)) {
      const std::uint64_t place = place_of(fields, merges_key);
      for (const std::string& merge : *merges) vocabulary.add_merge_line(merge, place);
    }
    Tokenizer tokenizer = vocabulary.finish(kind, file);
    tokenizer.chat_template = header_chat_template(fields, file);
    return std::optional(std::move(tokenizer));
  } catch (Malformed& stop) {
    Problem problem = std::move(stop.problem);
    problem.file = std::string(file);
    if (!problem.offset || *problem.offset == 0) problem.offset = place_of(fields, tokens_key);
    return std::unexpected(std::move(problem));
  }
}

}  // namespace pedigree
