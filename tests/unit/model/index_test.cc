#include "model/index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/model.h"
#include "model/shards_name.h"
#include "tests/support/model_directory.h"

namespace pedigree {
namespace {

using Strings = std::vector<std::string>;

ShardIndex read(std::string_view text) {
  auto index = read_shard_index(text, "model.safetensors.index.json", {});
  REQUIRE_MESSAGE(index.has_value(), index.error().message);
  return std::move(*index);
}

std::string refusal(std::string_view text) {
  const auto index = read_shard_index(text, "model.safetensors.index.json", {});
  return index ? "read" : index.error().code;
}

// Codes of a model's problems about its shards, in order of telling.
std::string index_codes(const ModelDirectory& directory) {
  const auto model = open_model(directory.path());
  REQUIRE_MESSAGE(model.has_value(), model.error().message);
  std::string codes;
  for (const Problem& problem : (*model)->problems) {
    if (problem.code.starts_with("index-") || problem.code.starts_with("io-") ||
        problem.code.starts_with("safetensors-")) {
      codes += (codes.empty() ? "" : " ") + problem.code;
    }
  }
  return codes;
}

Strings tensor_names(const ModelDirectory& directory) {
  const auto model = open_model(directory.path());
  REQUIRE(model.has_value());
  Strings names;
  for (const StoredTensor& tensor : (*model)->tensors) names.push_back(tensor.entry.name);
  return names;
}

constexpr std::string_view first = "model-00001-of-00002.safetensors";
constexpr std::string_view second = "model-00002-of-00002.safetensors";
constexpr std::string_view index_name = "model.safetensors.index.json";

}  // namespace

TEST_CASE("an index maps tensors to shards and claims a total size") {
  const ShardIndex index =
      read(R"({"metadata":{"total_size":16},"weight_map":{"a":"x-1","b":"x-2","c":"x-1"}})");
  CHECK(index.shards == Strings{"x-1", "x-2"});
  REQUIRE(index.tensors.size() == 3);
  CHECK(index.tensors[2].second == 0);
  CHECK(index.total_size == 16);
}

TEST_CASE("a total size may be a whole number, a text of digits or a float") {
  for (const std::string_view value : {"13476835328", "\"13476835328\"", "13476835328.0"}) {
    const ShardIndex index =
        read(R"({"metadata":{"total_size":)" + std::string(value) + R"(},"weight_map":{}})");
    CHECK(index.total_size == 13476835328U);
    CHECK(index.problems.empty());
  }
  for (const std::string_view value : {"-1", "\"many\"", "0.5", "null", "{}"}) {
    const ShardIndex index =
        read(R"({"metadata":{"total_size":)" + std::string(value) + R"(},"weight_map":{}})");
    CHECK_FALSE(index.total_size.has_value());
    REQUIRE_FALSE(index.problems.empty());
    CHECK(index.problems[0].code == "index-size-mismatch");
  }
}

TEST_CASE("text that is no index is refused") {
  CHECK(refusal("") == "index-malformed");
  CHECK(refusal("[]") == "index-malformed");
  CHECK(refusal("{}") == "index-malformed");
  CHECK(refusal(R"({"weight_map":[]})") == "index-malformed");
  CHECK(refusal(R"({"weight_map":{"a":1}})") == "index-malformed");
  CHECK(refusal(R"({"weight_map":{"a":["x"]}})") == "index-malformed");
  CHECK(refusal(R"({"weight_map":{"a":"x")") == "index-malformed");
}

TEST_CASE("a tensor listed twice is a problem, and the last entry counts") {
  const ShardIndex index = read(R"({"weight_map":{"a":"x","a":"y"}})");
  REQUIRE(index.tensors.size() == 1);
  CHECK(index.shards[index.tensors[0].second] == "y");
  REQUIRE(index.problems.size() == 1);
  CHECK(index.problems[0].code == "duplicate-key");
}

TEST_CASE("shard names that lead outside the model are left out") {
  for (const std::string_view name :
       {"../x", "/etc/passwd", "a\\\\b", "C:x", "a\\u0000b", "", "."}) {
    const ShardIndex index =
        read(R"({"weight_map":{"a":")" + std::string(name) + R"(","b":"good"}})");
    CHECK(index.shards == Strings{"good"});
    REQUIRE(index.problems.size() == 1);
    CHECK(index.problems[0].code == "index-path-escape");
    CHECK(index.problems[0].line == 1);
  }
}

TEST_CASE("a sharded model whose parts agree has no problems") {
  ModelDirectory model;
  model.sharded({{"a", "b"}, {"c"}});
  CHECK(index_codes(model).empty());
  CHECK(tensor_names(model) == Strings{"a", "b", "c"});
}

TEST_CASE("a missing shard is one problem and the others are still read") {
  ModelDirectory model;
  model.weights(first, {"a"})
      .write(index_name, index_json({{"a", std::string(first)}, {"b", std::string(second)}}, "16"));
  CHECK(index_codes(model) == "index-missing-shard");
  CHECK(tensor_names(model) == Strings{"a"});
}

TEST_CASE("a truncated shard is one problem and the others are still read") {
  ModelDirectory model;
  model.sharded({{"a"}, {"b"}});
  model.write(second, std::string("\x40\0\0\0\0\0\0\0{\"b\":", 13));
  CHECK(index_codes(model) == "safetensors-header-length");
  CHECK(tensor_names(model) == Strings{"a"});
}

TEST_CASE("a numbered shard that the index does not name is extra and not read") {
  ModelDirectory model;
  model.sharded({{"a"}, {"b"}}).weights("model-00003-of-00003.safetensors", {"c"});
  CHECK(index_codes(model) == "index-extra-shard");
  CHECK(tensor_names(model) == Strings{"a", "b"});
}

TEST_CASE("a listed tensor that no shard holds is missing") {
  ModelDirectory model;
  model.weights(first, {"a"})
      .write(index_name, index_json({{"a", std::string(first)}, {"b", std::string(first)}}, "8"));
  CHECK(index_codes(model) == "index-missing-tensor");
}

TEST_CASE("a tensor in another shard than listed is told with both names") {
  ModelDirectory model;
  model.weights(first, {"a", "b"}).weights(second, {"c"});
  model.write(index_name, index_json({{"a", std::string(first)},
                                      {"b", std::string(second)},
                                      {"c", std::string(second)}},
                                     "24"));
  CHECK(index_codes(model) == "index-wrong-shard");
  CHECK(tensor_names(model) == Strings{"a", "b", "c"});
}

TEST_CASE("of a tensor in two shards the copy the index names is kept") {
  ModelDirectory model;
  model.weights(first, {"a", "b"}).weights(second, {"b"});
  model.write(index_name,
              index_json({{"a", std::string(first)}, {"b", std::string(second)}}, "16"));
  CHECK(index_codes(model) == "index-duplicate-tensor");
  const auto opened = open_model(model.path());
  REQUIRE((*opened)->tensors.size() == 2);
  CHECK((*opened)->shards[(*opened)->tensors[1].shard]->name() == second);
  CHECK((*opened)->weight_bytes == 16);
}

TEST_CASE("a tensor no index lists is told and read") {
  ModelDirectory model;
  model.weights(first, {"a", "hidden"})
      .write(index_name, index_json({{"a", std::string(first)}}, "16"));
  CHECK(index_codes(model) == "index-unlisted-tensor");
  CHECK(tensor_names(model) == Strings{"a", "hidden"});
}

TEST_CASE("a total size other than the tensors' bytes is a mismatch") {
  ModelDirectory model;
  model.weights(first, {"a"}).write(index_name, index_json({{"a", std::string(first)}}, "9"));
  CHECK(index_codes(model) == "index-size-mismatch");
}

TEST_CASE("a shard that leads outside is told and nothing there is opened") {
  ModelDirectory model;
  model.weights(first, {"a"})
      .write(index_name,
             index_json({{"a", std::string(first)}, {"b", "../secret.safetensors"}}, "8"));
  model.weights("../secret.safetensors", {"b"});
  CHECK(index_codes(model) == "index-path-escape");
  CHECK(tensor_names(model) == Strings{"a"});
}

TEST_CASE("numbered shards without an index say themselves which are missing") {
  ModelDirectory model;
  model.weights("model-00001-of-00003.safetensors", {"a"});
  const auto opened = open_model(model.path());
  REQUIRE(opened.has_value());
  const auto& problems = (*opened)->problems;
  const auto told = std::ranges::find(problems, "index-missing-shard", &Problem::code);
  REQUIRE(told != problems.end());
  CHECK(told->file == "model-00002-of-00003.safetensors");
}

TEST_CASE("a complete set beside the indexed one is stale and not read") {
  ModelDirectory model;
  model.sharded({{"a"}, {"b"}}).weights("model.safetensors", {"a", "b"});
  CHECK(index_codes(model) == "index-stale-family");
  const auto opened = open_model(model.path());
  const auto& problems = (*opened)->problems;
  const auto told = std::ranges::find(problems, "index-stale-family", &Problem::code);
  CHECK(told->file == "model.safetensors");
  CHECK(told->message.find("model.safetensors.index.json was read") != std::string::npos);
}

TEST_CASE("a variant beside the full weights is another set, and the full one is read") {
  ModelDirectory model;
  model.weights("model.fp16.safetensors", {"half"}).weights("model.safetensors", {"full"});
  CHECK(index_codes(model) == "index-stale-family");
  CHECK(tensor_names(model) == Strings{"full"});
}

TEST_CASE("an index without any of its shards does not hide the weights that are there") {
  ModelDirectory model;
  model.weights("model.safetensors", {"a"})
      .write(index_name, index_json({{"a", std::string(first)}}, "8"));
  CHECK(index_codes(model) == "index-missing-shard");
  CHECK(tensor_names(model) == Strings{"a"});
}

TEST_CASE("the index of a format that was not downloaded is no problem") {
  ModelDirectory model;
  model.weights("model.safetensors", {"a"})
      .write("pytorch_model.bin.index.json",
             index_json({{"a", "pytorch_model-00001-of-00001.bin"}}, "8"));
  CHECK(index_codes(model).empty());
  CHECK(tensor_names(model) == Strings{"a"});
}

TEST_CASE("loose files of other names are parts of one model until a name repeats") {
  ModelDirectory parts;
  parts.weights("part1.safetensors", {"a"}).weights("part2.safetensors", {"b"});
  CHECK(index_codes(parts).empty());
  CHECK(tensor_names(parts) == Strings{"a", "b"});
  ModelDirectory copies;
  copies.weights("part1.safetensors", {"a"}).weights("part2.safetensors", {"a"});
  CHECK(index_codes(copies) == "index-stale-family");
  CHECK(tensor_names(copies) == Strings{"a"});
}

TEST_CASE("weight file names come apart into stem, number, count, variant and extension") {
  const auto told = [](std::string_view path) {
    const WeightName name = parse_weight_name(path);
    return name.folder + "|" + name.stem + "|" + std::to_string(name.number.value_or(0)) + "|" +
           std::to_string(name.count) + "|" + name.variant + "|" + name.extension;
  };
  CHECK(told("model.safetensors") == "|model|0|0||safetensors");
  CHECK(told("unet/model-00002-of-00010.safetensors") == "unet/|model|2|10||safetensors");
  CHECK(told("model_000003_of_000003.bin") == "|model|3|3||bin");
  CHECK(told("model-00001-of-00002.fp16.safetensors") == "|model|1|2|fp16|safetensors");
  CHECK(told("model.fp16-00001-of-00002.safetensors") == "|model|1|2|fp16|safetensors");
  CHECK(told("consolidated.01.pth") == "|consolidated|2|0||pth");
  CHECK(told("llama-7b.Q4_K_M.gguf") == "|llama-7b.Q4_K_M|0|0||gguf");
  CHECK(told("model-00009-of-00002.safetensors") == "|model-00009-of-00002|0|0||safetensors");
  CHECK(told("model-0001-of-0002.safetensors") == "|model-0001-of-0002|0|0||safetensors");
  CHECK(parse_weight_name("a-00001-of-00003.gguf").sibling(3) == "a-00003-of-00003.gguf");
  CHECK(parse_weight_name("a_00001_of_00003.gguf").pattern() == "a-*-of-00003.gguf");
}

}  // namespace pedigree
