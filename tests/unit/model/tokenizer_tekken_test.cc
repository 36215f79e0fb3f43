// Expected ids and spellings follow the format's own reader: special tokens
// first, the vocabulary behind them, bytes in GPT-2's alphabet.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "model/model.h"
#include "model/tokenizer_files.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

using Strings = std::vector<std::string>;

// The bytes 00, " a", FF and "b"; of five ids two are special, so "b" is beyond
// the model's size.
constexpr std::string_view vocab = R"([{"rank":0,"token_bytes":"AA==","token_str":"\u0000"},)"
                                   R"({"rank":1,"token_bytes":"IGE=","token_str":" a"},)"
                                   R"({"rank":2,"token_bytes":"/w==","token_str":null},)"
                                   R"({"rank":3,"token_bytes":"Yg==","token_str":"b"}])";
constexpr std::string_view special =
    R"([{"rank":0,"token_str":"<unk>","is_control":true},{"rank":1,"token_str":"<s>"}])";
constexpr std::string_view config = R"({"pattern":"x","num_vocab_tokens":4,"default_vocab_size":5,)"
                                    R"("default_num_special_tokens":2,"version":"v11"})";

std::string tekken(std::string_view config_json, std::string_view vocab_json,
                   std::string_view special_json) {
  return fmt::format(R"({{"config":{},"vocab":{},"special_tokens":{},"image":{{"rank":[1]}}}})",
                     config_json, vocab_json, special_json);
}

std::string message_of(std::string_view text) {
  const auto tokenizer = read_tekken({.text = text, .file = "tekken.json"});
  if (tokenizer) return "read";
  return tokenizer.error().code + ": " + tokenizer.error().message;
}

}  // namespace

TEST_CASE("tekken puts special tokens first and drops ranks beyond the model's size") {
  const std::string text = tekken(config, vocab, special);
  const auto tokenizer = read_tekken({.text = text, .file = "tekken.json"});
  REQUIRE(tokenizer.has_value());
  CHECK(tokenizer->kind == "BPE");
  CHECK(tokenizer->file == "tekken.json");
  CHECK(tokenizer->tokens == Strings{"<unk>", "<s>", "\xC4\x80",
                                     "\xC4\xA0"
                                     "a",
                                     "\xC3\xBF"});
  CHECK(tokenizer->added == Strings{"<unk>", "<s>"});
  CHECK(tokenizer->spelling == "byte-level");
}

TEST_CASE("tekken and tokenizer.json of one vocabulary have one digest") {
  const std::string text = tekken(config, vocab, special);
  const auto one = read_tekken({.text = text, .file = "tekken.json"});
  const auto other = read_tokenizer_json(
      {.text = R"({"model":{"type":"BPE","vocab":{"\u0100":2,"\u0120a":3,"\u00ff":4}},)"
               R"("added_tokens":[{"id":0,"content":"<unk>"},{"id":1,"content":"<s>"}]})",
       .file = "tokenizer.json"});
  REQUIRE(one.has_value());
  REQUIRE(other.has_value());
  CHECK(one->tokens == other->tokens);
  CHECK(one->vocabulary_digest == other->vocabulary_digest);
}

TEST_CASE("tekken files that leave special tokens to the library keep their ids free") {
  for (const std::string& text : {tekken(config, vocab, "null"),
                                  fmt::format(R"({{"vocab":{},"config":{}}})", vocab, config)}) {
    const auto tokenizer = read_tekken({.text = text, .file = "tekken.json"});
    REQUIRE(tokenizer.has_value());
    REQUIRE(tokenizer->tokens.size() == 5);
    CHECK(tokenizer->tokens[0].empty());
    CHECK(tokenizer->tokens[2] == "\xC4\x80");
    CHECK(tokenizer->added.empty());
  }
}

TEST_CASE("malformed tekken files are one problem that says what is wrong") {
  const auto with_config = [](std::string_view json) { return tekken(json, vocab, special); };
  const auto with_vocab = [](std::string_view json) { return tekken(config, json, special); };
  const auto with_special = [](std::string_view json) { return tekken(config, vocab, json); };
  struct Case {
    std::string text = {};
    std::string_view said = {};
  };
  const std::vector<Case> cases = {
      {.text = "", .said = ""},
      {.text = "[]", .said = "not a JSON object"},
      {.text = "{}", .said = "config does not say"},
      {.text = with_config("{}"), .said = "config does not say"},
      {.text = with_config("[5,2]"), .said = "config does not say"},
      {.text = with_config(R"({"default_vocab_size":1,"default_num_special_tokens":2})"),
       .said = "config does not say"},
      {.text = with_config(R"({"default_vocab_size":-5,"default_num_special_tokens":2})"),
       .said = "config does not say"},
      {.text = with_config(R"({"default_vocab_size":7,"default_num_special_tokens":2})"),
       .said = "4 tokens have a rank, where config asks for 5"},
      {.text = with_config(
           R"({"default_vocab_size":18446744073709551615,"default_num_special_tokens":18446744073709551612})"),
       .said = "beyond 2^24"},
      {.text = with_vocab("{}"), .said = "vocab is not a list"},
      {.text = with_vocab("7"), .said = "vocab is not a list"},
      {.text = with_vocab("[7]"), .said = "not an object with a rank"},
      {.text = with_vocab("[[]]"), .said = "not an object with a rank"},
      {.text = with_vocab("[{}]"), .said = "not an object with a rank"},
      {.text = with_vocab(R"([{"rank":0}])"), .said = "not an object with a rank"},
      {.text = with_vocab(R"([{"rank":0.5,"token_bytes":"AA=="}])"),
       .said = "not an object with a rank"},
      {.text = with_vocab(R"([{"rank":0,"token_bytes":"A"},{"rank":1,"token_bytes":"Yg=="},)"
                          R"({"rank":2,"token_bytes":"Yw=="}])"),
       .said = "not base64"},
      {.text = with_vocab(R"([{"rank":0,"token_bytes":"YQ=="},{"rank":0,"token_bytes":"Yg=="},)"
                          R"({"rank":2,"token_bytes":"Yw=="}])"),
       .said = "share the id 2"},
      {.text = with_vocab(R"([{"rank":0,"token_bytes":"YQ=="},{"rank":1,"token_bytes":"YQ=="},)"
                          R"({"rank":2,"token_bytes":"Yw=="}])"),
       .said = "stands twice"},
      {.text = with_special(R"({"rank":0})"), .said = "special_tokens is not a list"},
      {.text = with_special(R"([{"rank":2,"token_str":"<s>"}])"),
       .said = "rank lies among the others'"},
      {.text = tekken(config, vocab, special).substr(0, 200), .said = ""},
  };
  for (const auto& [text, said] : cases) {
    const std::string message = message_of(text);
    CHECK_MESSAGE(message.starts_with("tokenizer-malformed: "), text, " -> ", message);
    CHECK_MESSAGE(message.find(said) != message.npos, text, " -> ", message);
  }
}

TEST_CASE("a tekken file cut at any byte is refused") {
  const std::string whole = tekken(config, vocab, special);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto tokenizer =
        read_tekken({.text = std::string_view(whole).substr(0, size), .file = "tekken.json"});
    CHECK_FALSE_MESSAGE(tokenizer.has_value(), size);
  }
}

TEST_CASE("a model's tokenizer.json is read before its tekken.json, and that before the rest") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"x"})
      .write("tekken.json", tekken(config, vocab, special))
      .write("vocab.json", R"({"a":0})");
  const auto first = open_model(directory.path());
  REQUIRE(first.has_value());
  REQUIRE((*first)->tokenizer.has_value());
  CHECK((*first)->tokenizer->file == "tekken.json");
  directory.write("tokenizer.json", R"({"model":{"type":"BPE","vocab":{"a":0}}})");
  const auto second = open_model(directory.path());
  REQUIRE(second.has_value());
  REQUIRE((*second)->tokenizer.has_value());
  CHECK((*second)->tokenizer->file == "tokenizer.json");
}

}  // namespace pedigree
