#include "model/modelfile.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "model/layout_modelfile.h"
#include "model/model.h"
#include "tests/support/model_directory.h"

namespace pedigree {

TEST_CASE("instructions are read in either case, with comments, quotes and CRLF") {
  const auto entries = parse_modelfile(
      "\xEF\xBB\xBF# made by hand\r\nfrom \"./model.gguf\"\r\n\r\nPARAMETER temperature 0.7\r\n",
      "Modelfile");
  REQUIRE(entries.has_value());
  CHECK(*entries == std::vector<ModelfileEntry>{
                        {.command = "from", .value = "./model.gguf", .line = 2},
                        {.command = "parameter", .value = "temperature 0.7", .line = 4}});
}

TEST_CASE("a value between triple quotes may run over lines") {
  const auto entries = parse_modelfile(
      "FROM x\nSYSTEM \"\"\"one\nFROM two\"\"\"\nMESSAGE user \"\"\"a\nb\"\"\"\n", "M");
  REQUIRE(entries.has_value());
  REQUIRE(entries->size() == 3);
  CHECK((*entries)[1] == ModelfileEntry{.command = "system", .value = "one\nFROM two", .line = 2});
  CHECK((*entries)[2] == ModelfileEntry{.command = "message", .value = "user a\nb", .line = 4});
}

TEST_CASE("what is no Modelfile is named with its line") {
  const auto line_of_problem = [](std::string_view text) {
    const auto entries = parse_modelfile(text, "Modelfile");
    REQUIRE_FALSE(entries.has_value());
    CHECK(entries.error().code == "modelfile-malformed");
    return entries.error().line.value_or(0);
  };
  CHECK(line_of_problem("FROM x\nRUN rm -rf /\n") == 2);
  CHECK(line_of_problem("FROM x\n\nSYSTEM \"\"\"open\n\n") == 3);
  CHECK(line_of_problem("FROM\n") == 1);
  CHECK(line_of_problem("PARAMETER a b\n") == 0);
  CHECK(line_of_problem("") == 0);
  CHECK(line_of_problem("FROM \xFF\n") == 0);
}

TEST_CASE("FROM opens what lies beside a Modelfile and nothing else") {
  ModelDirectory directory;
  directory.weights("sub/weights.safetensors", {"a"}).folder("deep");
  const auto opened = [&](std::string_view from) {
    directory.write("Modelfile", "FROM " + std::string(from) + "\n");
    return open_model(directory.path("Modelfile"));
  };
  const auto model = opened("./sub/weights.safetensors");
  REQUIRE(model.has_value());
  CHECK((*model)->tensors.size() == 1);
  CHECK(std::ranges::count((*model)->claims, "from", &Claim::key) == 1);
  CHECK(std::ranges::count((*model)->claims, Claim::Kind::base_model, &Claim::kind) == 0);
  for (const std::string_view outside :
       {"../weights.safetensors", "/etc/passwd", "llama3:8b", "./Modelfile", "sub\\weights"}) {
    CAPTURE(std::string(outside));
    const auto refused = opened(outside);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == "not-a-model");
  }
  directory.link("sub/out.safetensors", "/etc/passwd");
  CHECK_FALSE(opened("./sub/out.safetensors").has_value());
}

TEST_CASE("a Modelfile beside weights names where they came from") {
  ModelDirectory directory;
  directory.weights("model.safetensors", {"a"})
      .write("config.json", "{}")
      .write("Modelfile", "FROM mistral:7b\nADAPTER ./x.gguf\nLICENSE mit\n");
  const auto model = open_model(directory.path());
  REQUIRE(model.has_value());
  const auto claim = std::ranges::find((*model)->claims, "from", &Claim::key);
  REQUIRE(claim != (*model)->claims.end());
  CHECK(*claim == Claim{.kind = Claim::Kind::base_model,
                        .key = "from",
                        .value = "mistral:7b",
                        .file = "Modelfile",
                        .line = 1});
}

}  // namespace pedigree
