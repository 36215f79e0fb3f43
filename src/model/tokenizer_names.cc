#include "model/tokenizer_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include "base/text.h"

namespace pedigree {
namespace {

using How = VocabularyMatch::How;

// Fewer tokens than this are a test's vocabulary, whatever it is called after.
constexpr std::size_t least_tokens = 1000;
constexpr double unlike = 0.5;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "7b", "1.6b", "4k", "135m": how large, or how long its context.
bool is_size(std::string_view word) {
  if (word.size() < 2 || !std::string_view("bkm").contains(word.back())) return false;
  word.remove_suffix(1);
  return std::ranges::all_of(word, [](char c) { return is_digit(c) || c == '.'; });
}

// "q4", "iq2", "f16": how it is stored.
bool is_storage(std::string_view word) {
  for (const std::string_view prefix : {"iq", "q", "fp", "bf", "f"}) {
    if (!word.starts_with(prefix) || word.size() == prefix.size()) continue;
    return std::ranges::all_of(word.substr(prefix.size()), is_digit);
  }
  return false;
}

bool is_neutral(std::string_view word) {
  constexpr std::array<std::string_view, 20> words = {
      "tokenizer", "tokenizers",  "vocab", "model", "meta", "hf",   "base",
      "chat",      "instruct",    "it",    "gguf",  "awq",  "gptq", "mlx",
      "bin",       "safetensors", "k",     "s",     "m",    "xs"};
  return std::ranges::find(words, word) != words.end() || is_size(word) || is_storage(word);
}

std::string_view last_part(std::string_view name) {
  while (name.ends_with('/') || name.ends_with('\\')) name.remove_suffix(1);
  const std::size_t slash = name.find_last_of("/\\");
  return slash == name.npos ? name : name.substr(slash + 1);
}

struct Name {
  std::string where = {};  // "tokenizer_config.json name_or_path", "the model's name"
  std::string value = {};
  std::string file = {};
  unsigned line = 0;
  bool is_of_tokenizer = false;  // names the tokenizer itself, or all there is
};

std::vector<Name> names_of(const ModelInfo& model) {
  std::vector<Name> names;
  // A folder called "falcon" is any project; "falcon-7b" is a model.
  if (std::ranges::any_of(model.name, is_digit)) {
    names.push_back({.where = "the model's name", .value = model.name, .is_of_tokenizer = true});
  }
  for (const Claim& claim : model.claims) {
    const bool of_tokenizer =
        claim.key == "name_or_path" && claim.file.ends_with("tokenizer_config.json");
    if (claim.kind != Claim::Kind::base_model && claim.kind != Claim::Kind::name && !of_tokenizer) {
      continue;
    }
    names.push_back({.where = claim.key,
                     .value = claim.value,
                     .file = claim.file,
                     .line = claim.line,
                     .is_of_tokenizer = of_tokenizer || claim.kind == Claim::Kind::name});
  }
  return names;
}

bool is_exact(const VocabularyMatch& match) { return match.how != How::resembling; }

// What it is in place of the named one, or none when the name may be right.
std::optional<std::string> contradiction(const Tokenizer& tokenizer, const Name& name,
                                         const KnownVocabulary& named) {
  const auto is_named = [&](const VocabularyMatch& match) { return match.id == named.id; };
  const auto& known = tokenizer.known;
  if (!known.empty() && is_exact(known.front())) {
    if (std::ranges::any_of(known, is_named)) return std::nullopt;
    return match_in_words(known.front());
  }
  if (!name.is_of_tokenizer || tokenizer.tokens.size() < least_tokens) return std::nullopt;
  const VocabularyMatch likeness = resemblance_to(tokenizer, named);
  if (likeness.resemblance + 3 * likeness.error >= unlike) return std::nullopt;
  return fmt::format("none that is known, and shares an estimated {:.0f} % of its tokens with it",
                     100 * likeness.resemblance);
}

}  // namespace

std::string plain_model_name(std::string_view name) {
  std::string plain;
  std::string word;
  const auto close = [&] {
    while (word.ends_with('.')) word.pop_back();
    if (!is_neutral(word)) plain += word;
    word.clear();
  };
  for (const char c : last_part(name)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte) != 0) {
      word += static_cast<char>(byte < 0x80 ? std::tolower(byte) : byte);
    } else if (c == '.' && !word.empty() && is_digit(word.back())) {
      word += c;
    } else {
      close();
    }
  }
  close();
  return plain;
}

const KnownVocabulary* vocabulary_named(std::string_view model) {
  const std::string plain = plain_model_name(model);
  if (plain.empty()) return nullptr;
  for (const KnownVocabulary& row : known_vocabularies()) {
    for (const std::string& each : row.models) {
      if (plain_model_name(each) == plain) return &row;
    }
  }
  return nullptr;
}

std::vector<Problem> tokenizer_name_problems(const ModelInfo& model) {
  std::vector<Problem> problems;
  if (!model.tokenizer) return problems;
  std::vector<std::string_view> told;
  const std::vector<Name> names = names_of(model);
  for (const Name& name : names) {
    const KnownVocabulary* named = vocabulary_named(name.value);
    if (named == nullptr || std::ranges::find(told, named->id) != told.end()) continue;
    const auto found = contradiction(*model.tokenizer, name, *named);
    if (!found) continue;
    told.push_back(named->id);
    Problem problem = make_problem(
        "tokenizer-name-contradicted", name.file.empty() ? model.tokenizer->file : name.file,
        fmt::format("{}, \"{}\", is that of a model with {}'s vocabulary ({} tokens), but the "
                    "vocabulary in {} is {}. This is about the tokenizer only, not about weights",
                    name.where, shown(name.value.substr(0, 200)), named->name, named->tokens,
                    model.tokenizer->file, *found));
    if (name.line > 0) problem.line = name.line;
    problems.push_back(std::move(problem));
  }
  return problems;
}

std::string match_in_words(const VocabularyMatch& match) {
  switch (match.how) {
    case How::identical:
      return fmt::format("{}'s ({} tokens)", match.name, match.tokens);
    case How::extended:
      return fmt::format("{}'s ({} tokens), with {} {} added", match.name, match.tokens,
                         match.added, match.added == 1 ? "token" : "tokens");
    case How::ordinary:
      return fmt::format("{}'s ({} tokens), with other special or added tokens", match.name,
                         match.tokens);
    case How::reordered:
      return fmt::format("{}'s ({} tokens), under other ids", match.name, match.tokens);
    case How::resembling:
      return fmt::format(
          "like {}'s ({} tokens): an estimated {:.0f} ± {:.0f} % of the tokens in "
          "either are in both",
          match.name, match.tokens, 100 * match.resemblance, 100 * match.error);
  }
  return {};
}

}  // namespace pedigree
