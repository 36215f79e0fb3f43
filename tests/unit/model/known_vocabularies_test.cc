#include "model/known_vocabularies.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/files.h"
#include "model/model.h"
#include "model/tokenizer_names.h"

namespace pedigree {
namespace {

using How = VocabularyMatch::How;
namespace fs = std::filesystem;

// llama.cpp's file of a vocabulary, from the shared folder.
std::optional<Tokenizer> real(const std::string& name) {
  const fs::path path = fs::path(PEDIGREE_SHARED) / "real/gguf-vocab" / name;
  if (!fs::exists(path)) {
    MESSAGE("SKIPPED: the shared folder has no real/gguf-vocab/", name);
    return std::nullopt;
  }
  auto model = open_model(path.string());
  REQUIRE_MESSAGE(model.has_value(), name);
  REQUIRE((*model)->tokenizer.has_value());
  return (*model)->tokenizer;
}

const VocabularyMatch* match(const Tokenizer& tokenizer, std::string_view id) {
  const auto at = std::ranges::find(tokenizer.known, id, &VocabularyMatch::id);
  return at == tokenizer.known.end() ? nullptr : &*at;
}

ModelInfo model_with(const Tokenizer& tokenizer, std::string name, std::vector<Claim> claims = {}) {
  ModelInfo model;
  model.name = std::move(name);
  model.tokenizer = tokenizer;
  model.claims = std::move(claims);
  return model;
}

Tokenizer unlike_any() {
  Tokenizer own;
  own.kind = "BPE";
  own.spelling = "raw";
  own.tokens.resize(5000);
  for (std::size_t i = 0; i < own.tokens.size(); ++i) own.tokens[i] = "token " + std::to_string(i);
  find_known_vocabularies(own);
  return own;
}

}  // namespace

TEST_CASE("every known vocabulary satisfies its schema and names its sources") {
  const auto text = read_small_file(
      std::string(PEDIGREE_FIXTURES) + "/../schemas/vocabulary-1.schema.json", "schema");
  REQUIRE(text.has_value());
  const nlohmann::json schema_json = nlohmann::json::parse(*text);
  valijson::Schema schema;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_json), schema);
  CHECK(embedded_vocabularies().size() >= 10);
  for (const EmbeddedFile& file : embedded_vocabularies()) {
    CAPTURE(std::string(file.name));
    const nlohmann::json document = nlohmann::json::parse(file.text());
    const valijson::adapters::NlohmannJsonAdapter target(document);
    valijson::Validator validator;
    CHECK(validator.validate(schema, target, nullptr));
    CHECK(document["sources"][0]["gives"] == "all");
  }
}

TEST_CASE("no two rows are one vocabulary, and no two have a model of one name") {
  const auto rows = known_vocabularies();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      CHECK_MESSAGE(rows[i].digest != rows[j].digest, rows[i].id, " and ", rows[j].id);
    }
    for (const std::string& model : rows[i].models) {
      CHECK_MESSAGE(vocabulary_named(model) == &rows[i], model);
    }
  }
}

TEST_CASE("LLaMA's vocabulary is found by itself and inside Phi-3's") {
  const auto llama = real("ggml-vocab-llama-spm.gguf");
  const auto phi = real("ggml-vocab-phi-3.gguf");
  if (!llama || !phi) return;
  REQUIRE_FALSE(llama->known.empty());
  CHECK(llama->known[0].id == "llama");
  CHECK(llama->known[0].how == How::identical);
  CHECK(llama->known[0].tokens == 32'000);
  REQUIRE_FALSE(phi->known.empty());
  CHECK(phi->known[0].id == "phi3");
  CHECK(phi->known[0].how == How::identical);
  const VocabularyMatch* inside = match(*phi, "llama");
  REQUIRE(inside != nullptr);
  CHECK(inside->how == How::extended);
  CHECK(inside->added == 11);  // <|endoftext|> to <|user|>; the rest is padding
  CHECK(match_in_words(*inside) == "LLaMA's (32000 tokens), with 11 tokens added");
}

TEST_CASE("a word-piece vocabulary is found from llama.cpp's spelling of it") {
  const auto bge = real("ggml-vocab-bert-bge.gguf");
  if (!bge) return;
  REQUIRE_FALSE(bge->known.empty());
  CHECK(bge->known[0].id == "bge");
  CHECK(bge->known[0].how == How::identical);
}

TEST_CASE("changed special tokens, other ids and missing tokens are told apart") {
  const auto llama = real("ggml-vocab-llama-spm.gguf");
  if (!llama) return;
  Tokenizer respecialed = *llama;
  respecialed.tokens[1] = "<|start|>";
  find_known_vocabularies(respecialed);
  REQUIRE_FALSE(respecialed.known.empty());
  CHECK(respecialed.known[0].id == "llama");
  CHECK(respecialed.known[0].how == How::ordinary);

  Tokenizer reordered = *llama;
  std::reverse(reordered.tokens.begin() + 259, reordered.tokens.end());
  find_known_vocabularies(reordered);
  REQUIRE(reordered.known.size() == 1);
  CHECK(reordered.known[0].how == How::reordered);

  Tokenizer trimmed = *llama;
  trimmed.tokens.resize(24'000);
  find_known_vocabularies(trimmed);
  REQUIRE_FALSE(trimmed.known.empty());
  CHECK(trimmed.known[0].how == How::resembling);
  CHECK(trimmed.known[0].id == "llama");
  // Three quarters of the tokens, known within three standard errors.
  CHECK(trimmed.known[0].resemblance == doctest::Approx(0.75).epsilon(0.11));
  CHECK(trimmed.known[0].error < 0.032);
  CHECK(trimmed.known[0].same_ids == 1);
}

TEST_CASE("a vocabulary like none that is known gets no name") {
  const Tokenizer own = unlike_any();
  CHECK(own.known.empty());
  CHECK(own.bytes_digest.size() == 64);
}

TEST_CASE("a model's name is taken without its size, tuning and container") {
  CHECK(plain_model_name("meta-llama/Llama-2-7b-hf") == "llama2");
  CHECK(plain_model_name("Llama-2-13b-chat-hf") == "llama2");
  CHECK(plain_model_name("tokenizer-llama2") == "llama2");
  CHECK(plain_model_name("llama-2-7b.Q4_K_M.gguf") == "llama2");
  CHECK(plain_model_name("open_llama_3b") == "openllama");
  CHECK(plain_model_name("Llama-3.1-8B") == "llama3.1");
  CHECK(plain_model_name("C:\\models\\gpt2\\") == "gpt2");
  CHECK(plain_model_name("7b").empty());
  CHECK(plain_model_name("").empty());
}

TEST_CASE("only a model's whole name stands for its vocabulary") {
  REQUIRE(vocabulary_named("Llama-2-70b-chat") != nullptr);
  CHECK(vocabulary_named("Llama-2-70b-chat")->id == "llama");
  for (const std::string_view other : {"open_llama_3b", "Chinese-Llama-2-7b", "TinyLlama-1.1B",
                                       "gpt2-medical", "falcon3", "7b", ""}) {
    CHECK_MESSAGE(vocabulary_named(other) == nullptr, other);
  }
}

TEST_CASE("a name is contradicted by another known vocabulary, and only by that") {
  const auto llama = real("ggml-vocab-llama-spm.gguf");
  if (!llama) return;
  CHECK(tokenizer_name_problems(model_with(*llama, "Llama-2-13b-chat-hf")).empty());
  CHECK(tokenizer_name_problems(model_with(*llama, "my-model")).empty());
  CHECK(tokenizer_name_problems(model_with(*llama, "falcon")).empty());  // any project
  CHECK(tokenizer_name_problems(model_with(*llama, "falcon-7b")).size() == 1);
  const auto wrong = tokenizer_name_problems(model_with(*llama, "mpt-7b-chat"));
  REQUIRE(wrong.size() == 1);
  CHECK(wrong[0].code == "tokenizer-name-contradicted");
  CHECK(wrong[0].severity == Severity::warning);
  CHECK(wrong[0].message.find("GPT-NeoX's") != std::string::npos);
  CHECK(wrong[0].message.find("LLaMA's (32000 tokens)") != std::string::npos);
  CHECK(wrong[0].message.find("not about weights") != std::string::npos);

  const Claim base = {.kind = Claim::Kind::base_model,
                      .key = "base_model",
                      .value = "Qwen/Qwen1.5-7B",
                      .file = "README.md",
                      .line = 4};
  const auto declared = tokenizer_name_problems(model_with(*llama, "my-model", {base}));
  REQUIRE(declared.size() == 1);
  CHECK(declared[0].file == "README.md");
  CHECK(declared[0].line == 4);
}

TEST_CASE("an unknown vocabulary contradicts its own names and no declared base") {
  Tokenizer own = unlike_any();
  CHECK(tokenizer_name_problems(model_with(own, "gpt2")).size() == 1);
  const Claim base = {
      .kind = Claim::Kind::base_model, .key = "base_model", .value = "gpt2", .file = "README.md"};
  CHECK(tokenizer_name_problems(model_with(own, "my-model", {base})).empty());
  own.tokens.resize(500);  // a test's vocabulary
  find_known_vocabularies(own);
  CHECK(tokenizer_name_problems(model_with(own, "gpt2")).empty());
}

TEST_CASE("a row that is not one is refused") {
  CHECK_FALSE(parse_known_vocabulary("{}", "x").has_value());
  CHECK_FALSE(parse_known_vocabulary("[", "x").has_value());
  std::string text(embedded_vocabularies()[0].text());
  CHECK(parse_known_vocabulary(text, "x").has_value());
  const std::size_t at = text.find("\"hashes\": [") + 12;
  text.insert(text.find('"', at), "\"ffffffffffffffff\", ");
  CHECK_FALSE(parse_known_vocabulary(text, "x").has_value());
}

}  // namespace pedigree
