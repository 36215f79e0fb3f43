#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "formats/formats.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

std::string bytes(std::size_t count) { return std::string(count, 'x'); }

// The problem a file ends in, "" when it is read.
Problem problem_of(const std::string& content) {
  const auto file = read_weights(MemorySource("bad.safetensors", content));
  if (file) return {};
  CHECK(file.error().file == "bad.safetensors");
  REQUIRE(file.error().offset.has_value());
  CHECK(*file.error().offset <= content.size());
  CHECK_FALSE(file.error().message.empty());
  CHECK_FALSE(file.error().remedy.empty());
  CHECK_FALSE(file.error().line.has_value());
  return file.error();
}

std::string code_of(const SafetensorsBuilder& builder) { return problem_of(builder.build()).code; }

SafetensorsBuilder one_tensor() { return SafetensorsBuilder().tensor("a", "F32", {2}, bytes(8)); }

}  // namespace

TEST_CASE("a header length beyond the cap or the file is refused before anything is read for it") {
  const SafetensorsBuilder honest = one_tensor();
  const std::uint64_t size = honest.build().size();
  for (const std::uint64_t length :
       {std::uint64_t{1} << 63U, ~std::uint64_t{0}, std::uint64_t{100'000'001}, size - 7}) {
    CHECK(code_of(one_tensor().header_length(length)) == "safetensors-header-length");
  }
  CHECK(code_of(one_tensor().header_length(size - 8)) == "safetensors-offsets");
  CHECK(code_of(one_tensor().header_length(10)) == "safetensors-header-json");
}

TEST_CASE("a truncated header tells the length it claims and what follows") {
  const std::string whole = one_tensor().build();
  const Problem problem = problem_of(whole.substr(0, 30));
  CHECK(problem.code == "safetensors-header-length");
  CHECK(problem.message ==
        "the header claims " + std::to_string(whole.size() - 16) + " bytes and 22 follow");
}

TEST_CASE("a header that is not an object is refused") {
  CHECK(code_of(SafetensorsBuilder().header_json("[1, 2]")) == "safetensors-header-json");
  CHECK(code_of(SafetensorsBuilder().header_json("\"text\"")) == "safetensors-header-json");
  CHECK(code_of(SafetensorsBuilder().header_json(std::string(24, ' '))) ==
        "safetensors-header-json");
  CHECK(code_of(SafetensorsBuilder().header_json("\xEF\xBB\xBF{}")) == "safetensors-header-json");
}

TEST_CASE("text behind the header's object is refused, also behind a NUL") {
  CHECK(code_of(one_tensor().after_header("{}")) == "safetensors-header-json");
  CHECK(code_of(one_tensor().after_header(std::string("\0", 1))) == "safetensors-header-json");
  CHECK(code_of(one_tensor().after_header(std::string("\0hidden", 7))) ==
        "safetensors-header-json");
  CHECK(code_of(one_tensor().after_header("// note")) == "safetensors-header-json");
}

TEST_CASE("strings that are no Unicode are refused with the reason") {
  const Problem bad_byte = problem_of(one_tensor().with_name_json("\"a\xFF\"").build());
  CHECK(bad_byte.code == "safetensors-header-json");
  CHECK(bad_byte.message.find("ill-formed UTF-8 byte") != std::string::npos);
  const Problem surrogate = problem_of(one_tensor().with_name_json(R"("\ud800")").build());
  CHECK(surrogate.code == "safetensors-header-json");
  CHECK(surrogate.message.find("surrogate") != std::string::npos);
}

TEST_CASE("names that stand twice are refused wherever they stand") {
  CHECK(code_of(one_tensor().tensor("a", "F32", {0}, "")) == "duplicate-key");
  CHECK(code_of(one_tensor().tensor("b", "U8", {1}, "x").with_name_json(R"("\u0061")")) ==
        "duplicate-key");
  CHECK(code_of(one_tensor().metadata("k", "1").metadata("k", "2")) == "duplicate-key");
  CHECK(code_of(one_tensor().metadata("k", "1").member_json(R"("__metadata__":{})")) ==
        "duplicate-key");
  CHECK(code_of(one_tensor().with_extra_field("dtype", "\"F32\"")) == "duplicate-key");
  CHECK(code_of(one_tensor().with_extra_field("shape", "[2]")) == "duplicate-key");
}

TEST_CASE("a duplicate's problem points behind the second name") {
  const SafetensorsBuilder builder = one_tensor().tensor("a", "F32", {0}, "");
  const std::string content = builder.build();
  const Problem problem = problem_of(content);
  CHECK(problem.message == "the tensor name \"a\" stands twice");
  CHECK(problem.offset == content.rfind("\"a\"") + 3);
}

TEST_CASE("an entry lacking a field, or with one of the wrong kind, is refused") {
  CHECK(code_of(one_tensor().with_dtype_json("")) == "safetensors-entry");
  CHECK(code_of(one_tensor().with_shape_json("")) == "safetensors-entry");
  CHECK(code_of(one_tensor().with_offsets_json("")) == "safetensors-entry");
  CHECK(code_of(one_tensor().with_dtype_json("32")) == "safetensors-entry");
  CHECK(code_of(one_tensor().with_dtype_json("[\"F32\"]")) == "safetensors-entry");
  CHECK(code_of(one_tensor().with_extra_field("strides", "[1]")) == "safetensors-entry");
  CHECK(code_of(one_tensor().member_json(R"("b":null)")) == "safetensors-entry");
  CHECK(code_of(one_tensor().member_json(R"("b":[])")) == "safetensors-entry");
  CHECK(problem_of(one_tensor().with_shape_json("").build()).message ==
        "the entry of \"a\" has no shape");
}

TEST_CASE("shapes and offsets are lists of plain integers and nothing else") {
  for (const char* json : {"2", "\"2\"", "[2.0]", "[-2]", "[\"2\"]", "[null]", "[[2]]", "[{}]",
                           "{}", "[true]", "[2e0]", "null"}) {
    CHECK_MESSAGE(code_of(one_tensor().with_shape_json(json)) == "safetensors-entry",
                  std::string(json));
  }
  for (const char* json : {"8", "[8]", "[0,4,8]", "[0.0,8.0]", "[-8,0]", "[\"0\",\"8\"]", "[]",
                           "{\"begin\":0}", "[0,[8]]", "null"}) {
    CHECK_MESSAGE(code_of(one_tensor().with_offsets_json(json)) == "safetensors-entry",
                  std::string(json));
  }
  CHECK(code_of(one_tensor().with_shape_json("[NaN]")) == "safetensors-header-json");
}

TEST_CASE("an integer beyond 64 bits is refused, not rounded") {
  const Problem problem =
      problem_of(one_tensor().with_shape_json("[18446744073709551616]").build());
  CHECK(problem.code == "safetensors-header-json");
  CHECK(problem.message == "the integer 18446744073709551616 does not fit 64 bits");
}

TEST_CASE("a shape whose size overflows or differs from its offsets is refused") {
  CHECK(code_of(one_tensor().with_shape_json("[3]")) == "safetensors-shape");
  CHECK(code_of(one_tensor().with_shape_json("[4294967296,4294967296]")) == "safetensors-shape");
  CHECK(code_of(one_tensor().with_shape_json("[4294967296,1073741824]")) == "safetensors-shape");
  CHECK(code_of(one_tensor().with_shape_json("[4611686018427387906]")) == "safetensors-shape");
}

TEST_CASE("offsets that overlap, leave holes or lie outside are refused") {
  const auto two = [](std::uint64_t begin, std::uint64_t end) {
    return one_tensor().tensor("b", "U8", {4}, bytes(4)).with_offsets(begin, end);
  };
  CHECK(problem_of(two(8, 12).build()).code.empty());
  CHECK(code_of(two(4, 8)) == "safetensors-offsets");
  CHECK(code_of(two(0, 4)) == "safetensors-offsets");
  CHECK(code_of(two(9, 13)) == "safetensors-offsets");
  CHECK(code_of(two(12, 8)) == "safetensors-offsets");
  CHECK(code_of(one_tensor().with_offsets(~std::uint64_t{7}, ~std::uint64_t{0})) ==
        "safetensors-shape");
  CHECK(code_of(one_tensor().with_offsets(~std::uint64_t{8}, ~std::uint64_t{0})) ==
        "safetensors-offsets");
  CHECK(problem_of(SafetensorsBuilder().tensor("a", "U8", {4}, bytes(8)).with_offsets(4, 8).build())
            .message == "4 bytes before \"a\" belong to no tensor");
}

TEST_CASE("two tensors of the same bytes are an overlap") {
  CHECK(code_of(one_tensor().tensor("tied", "F32", {2}, "").with_offsets(0, 8)) ==
        "safetensors-offsets");
}

TEST_CASE("bytes behind the last tensor are told with their place") {
  const Problem problem = problem_of(one_tensor().trailing("PK\x03\x04").build());
  CHECK(problem.code == "safetensors-offsets");
  CHECK(problem.message == "4 bytes behind the last tensor belong to none");
  CHECK(problem.offset == one_tensor().build().size());
}

TEST_CASE("metadata are a map from string to string") {
  for (const char* json : {"[]", "\"pt\"", "null", "1", R"({"a":1})", R"({"a":{"b":"c"}})",
                           R"({"a":["b"]})", R"({"a":null})"}) {
    CHECK_MESSAGE(code_of(one_tensor().metadata_json(json)) == "safetensors-metadata",
                  std::string(json));
  }
  CHECK(code_of(SafetensorsBuilder().member_json(
            R"("__metadata__":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})")) ==
        "safetensors-metadata");
}

TEST_CASE("a shape of a hundred thousand ones meets the limit on dimensions") {
  const std::vector<std::uint64_t> ones(100'000, 1);
  const Problem problem = problem_of(one_tensor().with_shape(ones).build());
  CHECK(problem.code == "limit-exceeded");
  CHECK(problem.message == "\"a\" has over 64 dimensions");
}

TEST_CASE("nesting ends where the format's own depth does") {
  std::string deep = "{\"a\":";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  CHECK(code_of(SafetensorsBuilder().header_json(deep)) == "safetensors-entry");
  std::string metadata;
  for (int i = 0; i < 100'000; ++i) metadata += R"({"a":)";
  CHECK(code_of(SafetensorsBuilder().metadata_json(metadata)) == "safetensors-metadata");
}

TEST_CASE("long names are cut in messages at a whole character") {
  std::string name = "x";
  for (int i = 0; i < 1000; ++i) name += "重";
  const Problem problem =
      problem_of(SafetensorsBuilder().tensor(name, "U8", {2}, bytes(1)).build());
  CHECK(problem.code == "safetensors-shape");
  CHECK(problem.message.size() < 300);
  CHECK(problem.message.find("重…\"") != std::string::npos);
}

}  // namespace pedigree
