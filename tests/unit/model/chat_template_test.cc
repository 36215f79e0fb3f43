// Digests by an independent SHA-256.
#include "model/chat_template.h"

#include <doctest/doctest.h>

#include <string>

#include "model/model.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

constexpr std::string_view digest_a_b =  // of "a\nb"
    "7e18f737311b2dc3b2f269dd78396b0351f14fb66efa879f768cb23181883c78";

std::string template_digest(const ModelDirectory& directory) {
  const auto model = open_model(directory.path());
  REQUIRE(model.has_value());
  REQUIRE((*model)->tokenizer.has_value());
  return (*model)->tokenizer->chat_template ? (*model)->tokenizer->chat_template->digest : "";
}

ModelDirectory& with_vocabulary(ModelDirectory& directory) {
  return directory.weights("model.safetensors", {"x"})
      .write("tokenizer.json", R"({"model":{"type":"BPE","vocab":{"a":0}}})");
}

}  // namespace

TEST_CASE("a template is hashed with Jinja's line ends and without the last") {
  for (const std::string_view text : {"a\nb", "a\r\nb", "a\rb", "a\nb\n", "a\r\nb\r\n"}) {
    CHECK(chat_template_of(text, "x").digest == digest_a_b);
    CHECK(chat_template_of(text, "x").bytes == 3);
  }
  CHECK(chat_template_of("a\nb\n\n", "x").digest != digest_a_b);
}

TEST_CASE("a file of its own and tokenizer_config.json give one template one digest") {
  ModelDirectory own;
  with_vocabulary(own).write("chat_template.jinja", "a\nb\n");
  CHECK(template_digest(own) == digest_a_b);
  ModelDirectory config;
  with_vocabulary(config).write("tokenizer_config.json", R"({"chat_template":"a\nb"})");
  CHECK(template_digest(config) == digest_a_b);
  ModelDirectory json;
  with_vocabulary(json).write("chat_template.json", R"({"chat_template":"a\r\nb"})");
  CHECK(template_digest(json) == digest_a_b);
}

TEST_CASE("of several named templates the default counts, and none is no template") {
  ModelDirectory several;
  with_vocabulary(several).write(
      "tokenizer_config.json",
      R"({"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"a\nb"}]})");
  CHECK(template_digest(several) == digest_a_b);
  for (const std::string_view none : {R"({"chat_template":null})", R"({"chat_template":7})",
                                      R"({"chat_template":[{"name":"default"}]})", "{", "[]",
                                      R"({"chat_template":[["default","x"]]})"}) {
    ModelDirectory directory;
    with_vocabulary(directory).write("tokenizer_config.json", none);
    CHECK_MESSAGE(template_digest(directory).empty(), none);
  }
}

}  // namespace pedigree
