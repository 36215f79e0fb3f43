#include "model/tied_head.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/support/model_directory.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

// 32 rows of 4 F32 values, all made of one byte.
std::optional<Problem> told(char embedding, char head, std::string_view tied = "true",
                            std::uint64_t head_rows = 32) {
  ModelDirectory directory;
  SafetensorsBuilder builder;
  builder.tensor("model.embed_tokens.weight", "F32", {32, 4}, std::string(512, embedding));
  builder.tensor("lm_head.weight", "F32", {head_rows, 4}, std::string(head_rows * 16, head));
  directory.write("model.safetensors", builder.build());
  directory.write("config.json", "{\"tie_word_embeddings\": " + std::string(tied) + "}");
  const auto model = open_model(directory.path());
  REQUIRE(model.has_value());
  return tied_head_problem(**model);
}

}  // namespace

TEST_CASE("a head of its own beside a config that ties it to the embedding is a contradiction") {
  const auto problem = told('\x3c', '\x3d');
  REQUIRE(problem.has_value());
  CHECK(problem->code == "config-weights-mismatch");
  CHECK(problem->file == "config.json");
  CHECK(problem->message ==
        "the config says that embedding and head are tied, and \"lm_head.weight\" holds other "
        "values than \"model.embed_tokens.weight\"");
}

TEST_CASE("a stored copy of the embedding, a head said to be its own, and no values are none") {
  CHECK_FALSE(told('\x3c', '\x3c').has_value());
  CHECK_FALSE(told('\x3c', '\x3c', "true", 40).has_value());  // rows added to one of them
  CHECK_FALSE(told('\x3c', '\x3d', "false").has_value());
  CHECK_FALSE(told('\x3c', '\x3d', "null").has_value());
  CHECK_FALSE(told('\0', '\0').has_value());
  CHECK_FALSE(told('\x7f', '\x7f').has_value());
  CHECK_FALSE(told('\xff', '\x3d').has_value());  // NaN shows nothing
}

}  // namespace pedigree
