#include <doctest/doctest.h>

#include <string>

#include "formats/formats.h"
#include "tests/support/safetensors_builder.h"

namespace pedigree {
namespace {

Result<WeightFile> read(const std::string& bytes, const Limits& limits = {}) {
  return read_weights(MemorySource("model.safetensors", bytes), limits);
}

std::string code_of(const std::string& bytes, const Limits& limits = {}) {
  const auto file = read(bytes, limits);
  return file ? "read" : file.error().code;
}

std::string bytes(std::size_t count) { return std::string(count, 'x'); }

}  // namespace

TEST_CASE("a well-formed file gives its tensors by offset with types, shapes and extents") {
  const SafetensorsBuilder builder = SafetensorsBuilder()
                                         .tensor("b", "BF16", {2, 3}, bytes(12))
                                         .tensor("scale", "F32", {}, bytes(4))
                                         .metadata("format", "pt")
                                         .after_header("   ");
  const auto file = read(builder.build());
  REQUIRE(file.has_value());
  const std::uint64_t data = 8 + builder.header().size();
  CHECK(file->format == "safetensors");
  CHECK(file->problems.empty());
  REQUIRE(file->tensors.size() == 2);
  CHECK(file->tensors[0].name == "b");
  CHECK(file->tensors[0].type == find_element_type("BF16"));
  CHECK(file->tensors[0].type_name == "BF16");
  CHECK(file->tensors[0].shape == std::vector<std::uint64_t>{2, 3});
  CHECK(file->tensors[0].extent == Extent{.begin = data, .end = data + 12});
  CHECK(file->tensors[1].shape.empty());
  CHECK(file->tensors[1].element_count() == 1);
  CHECK(file->metadata == std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
}

TEST_CASE("tensors come by offset whatever their order in the header") {
  const auto file = read(SafetensorsBuilder()
                             .tensor("late", "U8", {4}, bytes(4))
                             .with_offsets(4, 8)
                             .tensor("early", "U8", {4}, bytes(4))
                             .with_offsets(0, 4)
                             .tensor("empty-b", "U8", {0}, "")
                             .with_offsets(4, 4)
                             .tensor("empty-a", "U8", {0}, "")
                             .with_offsets(4, 4)
                             .build());
  REQUIRE(file.has_value());
  std::string order;
  for (const TensorEntry& tensor : file->tensors) order += tensor.name + " ";
  CHECK(order == "early empty-b empty-a late ");
}

TEST_CASE("every known type is accepted with the size its width asks for") {
  for (const ElementType* type : element_types()) {
    if (type->block != 0) continue;                      // of GGUF
    if (type->id == "U4" || type->id == "I4") continue;  // of ONNX: a warning here
    const std::uint64_t size = 8 * type->bits / 8;
    CHECK(code_of(SafetensorsBuilder().tensor("a", type->id, {2, 4}, bytes(size)).build()) ==
          "read");
    CHECK(code_of(SafetensorsBuilder().tensor("a", type->id, {2, 4}, bytes(size + 1)).build()) ==
          "safetensors-shape");
  }
}

TEST_CASE("types below a byte must fill whole bytes") {
  CHECK(code_of(SafetensorsBuilder().tensor("a", "F4", {3}, bytes(2)).build()) ==
        "safetensors-shape");
  CHECK(code_of(SafetensorsBuilder().tensor("a", "F6_E2M3", {4}, bytes(3)).build()) == "read");
  CHECK(code_of(SafetensorsBuilder().tensor("a", "F6_E3M2", {2}, bytes(2)).build()) ==
        "safetensors-shape");
}

TEST_CASE("a file without tensors is a file") {
  CHECK(code_of(SafetensorsBuilder().build()) == "read");
  CHECK(code_of(SafetensorsBuilder().metadata("k", "v").build()) == "read");
}

TEST_CASE("a zero-size marker is no overlap, at the start, between tensors and at the end") {
  for (const std::uint64_t at : {0U, 4U, 8U}) {
    CHECK(code_of(SafetensorsBuilder()
                      .tensor("scaled_fp8", "F8_E4M3", {0}, "")
                      .with_offsets(at, at)
                      .tensor("a", "F32", {1}, bytes(4))
                      .tensor("b", "F32", {1}, bytes(4))
                      .build()) == "read");
  }
  CHECK(code_of(SafetensorsBuilder()
                    .tensor("a", "F32", {1}, bytes(4))
                    .tensor("inside", "U8", {0}, "")
                    .with_offsets(2, 2)
                    .build()) == "safetensors-offsets");
}

TEST_CASE("an unknown type is a warning, its bytes are located and its range is still checked") {
  const auto file = read(SafetensorsBuilder()
                             .tensor("a", "F3_E1M1", {5}, bytes(7))
                             .tensor("b", "F3_E1M1", {5}, bytes(7))
                             .build());
  REQUIRE(file.has_value());
  CHECK(file->tensors[0].type == &opaque_type());
  CHECK(file->tensors[0].type_name == "F3_E1M1");
  CHECK(file->tensors[1].extent.size() == 7);
  REQUIRE(file->problems.size() == 1);
  CHECK(file->problems[0].code == "unsupported-encoding");
  CHECK(file->problems[0].file == "model.safetensors");
  CHECK(file->problems[0].message ==
        "the element type \"F3_E1M1\" of \"a\" is unknown (2 tensors have it)");
  CHECK(
      code_of(
          SafetensorsBuilder().tensor("a", "F3_E1M1", {5}, bytes(7)).with_offsets(0, 8).build()) ==
      "safetensors-offsets");
  CHECK(code_of(SafetensorsBuilder().tensor("a", "F3", {5}, bytes(7)).with_offsets(7, 0).build()) ==
        "safetensors-offsets");
}

TEST_CASE("a thousand unknown types are told in few problems") {
  SafetensorsBuilder builder;
  for (int i = 0; i < 1000; ++i) builder.tensor(std::to_string(i), "X" + std::to_string(i), {}, "");
  const auto file = read(builder.build());
  REQUIRE(file.has_value());
  CHECK(file->problems.size() == 21);
  CHECK(file->problems.back().message == "980 more element types are unknown");
}

TEST_CASE("white space before the header's brace is a warning") {
  const auto file =
      read(SafetensorsBuilder().tensor("a", "U8", {1}, bytes(1)).before_header(" \n").build());
  REQUIRE(file.has_value());
  REQUIRE(file->problems.size() == 1);
  CHECK(file->problems[0].code == "safetensors-header-whitespace");
  CHECK(file->problems[0].severity == Severity::warning);
  CHECK(file->problems[0].offset == 8);
}

TEST_CASE("names may be empty or hold NUL, slashes and any script") {
  const auto file = read(SafetensorsBuilder()
                             .tensor("", "U8", {1}, bytes(1))
                             .tensor(std::string("a\0b", 3), "U8", {1}, bytes(1))
                             .tensor("../../etc/passwd", "U8", {1}, bytes(1))
                             .tensor("重み\x1b[31m", "U8", {1}, bytes(1))
                             .tensor("", "U8", {1}, bytes(1))
                             .with_name_json(R"("\ud83d\ude00")")
                             .build());
  REQUIRE(file.has_value());
  CHECK(file->tensors[1].name == std::string("a\0b", 3));
  CHECK(file->tensors[3].name == "重み\x1b[31m");
  CHECK(file->tensors[4].name == "\xF0\x9F\x98\x80");
}

TEST_CASE("metadata keep their order and any text") {
  const auto file = read(SafetensorsBuilder()
                             .metadata("z", "1")
                             .metadata("a", R"({"nested": "as text"})")
                             .metadata("", "")
                             .build());
  REQUIRE(file.has_value());
  CHECK(file->metadata == std::vector<std::pair<std::string, std::string>>{
                              {"z", "1"}, {"a", R"({"nested": "as text"})"}, {"", ""}});
}

TEST_CASE("limits bound the tensors, dimensions and names that are read") {
  SafetensorsBuilder builder;
  for (int i = 0; i < 4; ++i) builder.tensor(std::to_string(i), "U8", {1}, bytes(1));
  CHECK(code_of(builder.build(), {.tensors = 4}) == "read");
  CHECK(code_of(builder.build(), {.tensors = 3}) == "limit-exceeded");
  CHECK(code_of(builder.build(), {.header_bytes = builder.header().size()}) == "read");
  CHECK(code_of(builder.build(), {.header_bytes = builder.header().size() - 1}) ==
        "safetensors-header-length");
  const std::vector<std::uint64_t> ones(64, 1);
  CHECK(code_of(SafetensorsBuilder().tensor("a", "U8", ones, bytes(1)).build()) == "read");
  const std::string name(65'536, 'n');
  CHECK(code_of(SafetensorsBuilder().tensor(name, "U8", {1}, bytes(1)).build()) == "read");
  CHECK(code_of(SafetensorsBuilder().tensor(name + "n", "U8", {1}, bytes(1)).build()) ==
        "limit-exceeded");
}

}  // namespace pedigree
