#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "formats/formats.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/weight_laws.h"

namespace pedigree {
namespace {

using namespace made_onnx;

WeightFile read(const std::string& content) {
  const MemorySource source("model.onnx", content);
  auto file = read_weights(source);
  REQUIRE_MESSAGE(file.has_value(), file.error().message);
  return *std::move(file);
}

std::string refusal(const std::string& content) {
  const auto file = read_weights(MemorySource("model.onnx", content));
  return file ? "read" : file.error().code;
}

std::string one(std::string_view values, std::uint64_t type = 1,
                const std::vector<std::int64_t>& dims = {2, 3}) {
  return model({.tensors = {tensor("w", dims, type, values)}});
}

const TensorUse* use_of(const WeightFile& file, std::string_view name) {
  const auto found = std::ranges::find(file.uses, name,
                                       [](const auto& use) { return std::string_view(use.first); });
  return found == file.uses.end() ? nullptr : &found->second;
}

std::vector<float> arranged_values(const std::string& content) {
  const MemorySource source("model.onnx", content);
  auto file = read_weights(source);
  REQUIRE(file.has_value());
  REQUIRE(file->arranged.size() == 1);
  const auto arranged = arranged_source(source, file->arranged);
  const TensorEntry& entry = file->arranged[0].entry;
  std::vector<std::byte> stored(entry.extent.size());
  REQUIRE_FALSE(arranged->read_at(entry.extent.begin, stored).has_value());
  std::vector<float> values(entry.element_count());
  entry.type->decode(stored, values);
  return values;
}

}  // namespace

TEST_CASE("an initialiser is a tensor whose raw data lie where the file has them") {
  const std::string content = one(raw_floats({0, 1, 2, 3, 4, 5}));
  const WeightFile file = read(content);
  CHECK(file.format == "onnx");
  REQUIRE(file.tensors.size() == 1);
  CHECK(file.tensors[0].name == "w");
  CHECK(file.tensors[0].type->id == "F32");
  CHECK(file.tensors[0].type_name == "FLOAT");
  CHECK(file.tensors[0].shape == std::vector<std::uint64_t>{2, 3});
  CHECK(file.tensors[0].extent.size() == 24);
  CHECK(content.substr(file.tensors[0].extent.begin, 8) == std::string("\0\0\0\0\0\0\x80\x3F", 8));
  CHECK(file.problems.empty());
}

TEST_CASE("packed dimensions and floats are read where they lie") {
  std::string floats(24, '\0');
  floats[7] = '\x3F';
  const std::string packed = bytes(1, "\x02\x03") + number(2, 1) + bytes(4, floats) + bytes(8, "w");
  const WeightFile file = read(model({.tensors = {packed}}));
  REQUIRE(file.tensors.size() == 1);
  CHECK(file.tensors[0].shape == std::vector<std::uint64_t>{2, 3});
  CHECK(file.tensors[0].extent.size() == 24);
}

TEST_CASE("half floats, brain floats and eight-bit floats in int32_data are turned into bytes") {
  // 1, -2 and the largest: 0x3C00, 0xC000, 0x7BFF of IEEE halves; 0x3F80, 0xC000 of BF16.
  CHECK(arranged_values(one(bytes(5, varint(0x3C00) + varint(0xC000) + varint(0x7BFF)), 10, {3})) ==
        std::vector<float>{1, -2, 65504});
  CHECK(arranged_values(one(bytes(5, varint(0x3F80) + varint(0xC000)), 16, {2})) ==
        std::vector<float>{1, -2});
  CHECK(arranged_values(one(bytes(5, varint(0x38) + varint(0xC0)), 17, {2})) ==
        std::vector<float>{1, -2});
}

TEST_CASE("negative integers of ten bytes and nibbles of one number are turned into bytes") {
  CHECK(arranged_values(one(bytes(7, varint(~std::uint64_t{0}) + varint(7)), 7, {2})) ==
        std::vector<float>{-1, 7});
  CHECK(arranged_values(one(bytes(5, varint(0x21) + varint(0xF3)), 22, {4})) ==
        std::vector<float>{1, 2, 3, -1});
  CHECK(arranged_values(one(bytes(11, varint(0xFFFFFFFF)), 12, {1})) ==
        std::vector<float>{4294967296.0F});
}

TEST_CASE("every data type of onnx.proto that has an element type is named and sized") {
  using Row =
      std::tuple<std::uint64_t, std::string_view, std::size_t>;  // number, id, bytes of four
  for (const auto& [type, id, size] :
       {Row{1, "F32", 16},         Row{2, "U8", 4},       Row{3, "I8", 4},
        Row{4, "U16", 8},          Row{5, "I16", 8},      Row{6, "I32", 16},
        Row{7, "I64", 32},         Row{9, "BOOL", 4},     Row{10, "F16", 8},
        Row{11, "F64", 32},        Row{12, "U32", 16},    Row{13, "U64", 32},
        Row{14, "C64", 32},        Row{16, "BF16", 8},    Row{17, "F8_E4M3", 4},
        Row{18, "F8_E4M3FNUZ", 4}, Row{19, "F8_E5M2", 4}, Row{20, "F8_E5M2FNUZ", 4},
        Row{21, "U4", 2},          Row{22, "I4", 2},      Row{23, "F4", 2},
        Row{24, "F8_E8M0", 4}}) {
    const WeightFile file = read(one(raw(std::string(size, '\1')), type, {4}));
    REQUIRE_MESSAGE(file.tensors.size() == 1, id);
    CHECK(file.tensors[0].type->id == id);
    CHECK(broken_weight_law(one(raw(std::string(size, '\1')), type, {4})).empty());
  }
}

TEST_CASE("a tensor in another file is described and not looked for") {
  const WeightFile file = read(one(external("data.bin", "4096", "24")));
  REQUIRE(file.external.size() == 1);
  CHECK(file.external[0].location == "data.bin");
  CHECK(file.external[0].entry.extent == Extent{.begin = 4096, .end = 4120});
  CHECK(file.tensors.empty());
}

TEST_CASE("the operator that reads a renamed weight says of which module it is and how it lies") {
  const std::string two = tensor("onnx::MatMul_7", {2, 3}, 1, raw_floats({0, 1, 2, 3, 4, 5}));
  const WeightFile file = read(model(
      {.tensors = {two},
       .nodes = {node("MatMul", {"x", "onnx::MatMul_7"}, {"/m/layers.0/mlp/mlp.2/MatMul_output_0"},
                      "/m/layers.0/mlp/mlp.2/MatMul")}}));
  const TensorUse* use = use_of(file, "onnx::MatMul_7");
  REQUIRE(use != nullptr);
  CHECK(use->parameter == "m.layers.0.mlp.2.weight");
  CHECK(use->in_out);
}

TEST_CASE("a weight that keeps its name keeps it, and its operator says how it lies") {
  const std::string weight = tensor("fc.weight", {2, 3}, 1, raw_floats({0, 1, 2, 3, 4, 5}));
  const auto lies_in_out = [&](const std::vector<std::string>& nodes) {
    const WeightFile file = read(model({.tensors = {weight}, .nodes = nodes}));
    const TensorUse* use = use_of(file, "fc.weight");
    REQUIRE(use != nullptr);
    CHECK(use->parameter.empty());
    return use->in_out;
  };
  CHECK(lies_in_out({node("MatMul", {"x", "fc.weight"}, {"y"}, "/other/MatMul")}));
  CHECK_FALSE(lies_in_out({node("MatMul", {"fc.weight", "x"}, {"y"}, "")}));
  CHECK(lies_in_out({node("Gemm", {"x", "fc.weight"}, {"y"}, "")}));
  CHECK_FALSE(lies_in_out({node("Gemm", {"x", "fc.weight"}, {"y"}, "", attribute("transB", 1))}));
  CHECK_FALSE(lies_in_out({node("Transpose", {"fc.weight"}, {"t"}, ""),
                           node("Cast", {"t"}, {"c"}, ""), node("MatMul", {"x", "c"}, {"y"}, "")}));
  CHECK_FALSE(lies_in_out({node("Gather", {"fc.weight", "x"}, {"y"}, "")}));
}

TEST_CASE("names of an exporter's own operators are taken out of parameters") {
  const std::string name = "model.layers.3.attn.q_proj.MatMul.weight";
  const WeightFile file = read(
      model({.tensors = {tensor(name, {1, 2}, 1, raw_floats({1, 2}))},
             .nodes = {node("MatMul", {"x", name}, {"y"}, "/model/layers.3/attn/q_proj/MatMul")}}));
  REQUIRE(use_of(file, name) != nullptr);
  CHECK(use_of(file, name)->parameter == "model.layers.3.self_attn.q_proj.weight");
}

TEST_CASE("two weights that would go by one parameter go by none") {
  const WeightFile file =
      read(model({.tensors = {tensor("1", {1, 2}, 1, raw_floats({1, 2})),
                              tensor("2", {1, 2}, 1, raw_floats({3, 4}))},
                  .nodes = {node("MatMul", {"x", "1"}, {"y"}, "/m/MatMul"),
                            node("MatMul", {"y", "2"}, {"z"}, "/m/MatMul_1")}}));
  REQUIRE(file.uses.size() == 2);
  CHECK(file.uses[0].second.parameter.empty());
  CHECK(file.uses[1].second.parameter.empty());
}

TEST_CASE("a parameter stored once for several is listed under each of its names") {
  const WeightFile file =
      read(model({.tensors = {tensor("a.weight", {2}, 1, raw_floats({1, 2}))},
                  .nodes = {node("Identity", {"a.weight"}, {"b.weight"}, "Identity_0")}}));
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[0].name == "a.weight");
  CHECK(file.tensors[1].name == "b.weight");
  CHECK(file.tensors[0].extent == file.tensors[1].extent);
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].code == "shared-storage");
}

TEST_CASE("weights of branches and of functions are listed under the operator that holds them") {
  const std::string branch = graph({.tensors = {tensor("w", {2}, 1, raw_floats({1, 2}))}});
  const std::string choice =
      node("If", {"c"}, {"y"}, "choice", bytes(5, bytes(1, "then_branch") + bytes(6, branch)));
  const WeightFile file =
      read(model({.tensors = {tensor("w", {1}, 1, raw_floats({3}))}, .nodes = {choice}}));
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[0].name == "choice.then_branch.w");
  CHECK(file.tensors[1].name == "w");
}

TEST_CASE("large constants are listed by what they are called, small ones are left alone") {
  const auto constant = [](std::string_view name, std::size_t count) {
    const std::string values =
        tensor("", {static_cast<std::int64_t>(count)}, 1, raw(std::string(4 * count, '\1')));
    return node("Constant", {}, {std::string(name)}, "",
                bytes(5, bytes(1, "value") + bytes(5, values)));
  };
  const WeightFile file =
      read(model({.nodes = {constant("axes", 2), constant("head.weight", 64)}}));
  REQUIRE(file.tensors.size() == 1);
  CHECK(file.tensors[0].name == "head.weight");
}

TEST_CASE("names of graphs within graphs are refused before they outgrow the file") {
  // An If whose branch holds empty tensors; each is listed under the operator's long name.
  const auto branches = [](std::size_t length, std::size_t count) {
    Graph inner;
    for (std::size_t i = 0; i < count; ++i) {
      inner.tensors.push_back(tensor(std::to_string(i), {0}, 1, ""));
    }
    return model({.nodes = {node("If", {}, {}, std::string(length, 'n'),
                                 bytes(5, bytes(1, "b") + bytes(6, graph(inner))))}});
  };
  CHECK(refusal(branches(60'000, 100)) == "read");
  CHECK(refusal(branches(65'536, 1)) == "limit-exceeded");     // one name is too long
  CHECK(refusal(branches(60'000, 1000)) == "limit-exceeded");  // 60 MB of names in 75 kB
}

TEST_CASE("a weight with a long name is handed on any number of times at no cost") {
  const std::string name(60'000, 'n');
  Graph parts = {.tensors = {tensor(name, {2, 2}, 1, raw_floats({1, 2, 3, 4}))},
                 .nodes = {node("Identity", {name}, {"0"}, "")}};
  for (unsigned i = 0; i < 20'000; ++i) {
    parts.nodes.push_back(node("Identity", {std::to_string(i)}, {std::to_string(i + 1)}, ""));
  }
  parts.nodes.push_back(node("MatMul", {"x", "20000"}, {"y"}, "/m/MatMul"));
  const WeightFile file = read(model(parts));
  REQUIRE(file.uses.size() == 1);
  CHECK(file.uses[0].first == name);
  CHECK(file.uses[0].second.parameter == "m.weight");
}

TEST_CASE("names that repeat a tensor's far file are counted with the names") {
  Graph parts = {.tensors = {tensor("a.b", {1}, 1, external(std::string(60'000, 'd')))}};
  for (unsigned i = 0; i < 1000; ++i) {
    parts.nodes.push_back(node("Identity", {"a.b"}, {"c." + std::to_string(i)}, ""));
  }
  CHECK(refusal(model(parts)) == "limit-exceeded");
}

TEST_CASE("a sparse tensor is its values and its indices, each once") {
  const std::string values = bytes(1, tensor("w", {1}, 1, raw_floats({1})));
  const std::string indices = bytes(2, tensor("", {1}, 7, raw(std::string(8, '\0'))));
  const WeightFile file = read(model({.more = bytes(15, indices + values)}));
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[0].name == "w.indices");
  CHECK(file.tensors[1].name == "w.values");
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].code == "unsupported-encoding");
  CHECK(refusal(model({.more = bytes(15, values + indices + indices)})) == "onnx-malformed");
  CHECK(refusal(model({.more = bytes(15, values + values)})) == "onnx-malformed");
}

TEST_CASE("sparse tensors count against the limit of tensors") {
  const std::string values = bytes(1, tensor("w", {1}, 1, raw_floats({1})));
  const MemorySource source("model.onnx", model({.more = bytes(15, values)}));
  CHECK(read_weights(source, {.tensors = 1}).has_value());
  const auto refused = read_weights(source, {.tensors = 0});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == "limit-exceeded");
}

TEST_CASE("producer and properties are metadata, in the order of the file") {
  const WeightFile file =
      read(model({}, bytes(14, bytes(1, "base_model") + bytes(2, "somebody/parent"))));
  using Pair = std::pair<std::string, std::string>;
  CHECK(file.metadata == std::vector<Pair>{{"ir_version", "8"},
                                           {"producer_name", "made"},
                                           {"base_model", "somebody/parent"}});
}

TEST_CASE("a property that stands twice is told, and neither value is chosen") {
  const auto property = [](std::string_view value) {
    return bytes(14, bytes(1, "base_model") + bytes(2, value));
  };
  const std::string content = model({}, property("one/parent") + property("other/parent"));
  const WeightFile file = read(content);
  REQUIRE(file.problems.size() == 1);
  CHECK(file.problems[0].code == "duplicate-key");
  CHECK(file.problems[0].message.contains("base_model"));
  REQUIRE(file.problems[0].offset.has_value());
  CHECK(*file.problems[0].offset == content.rfind(property("other/parent")));
  REQUIRE(file.metadata.size() == 4);
  CHECK(file.metadata[2].second == "one/parent");
  CHECK(file.metadata[3].second == "other/parent");
}

TEST_CASE("listing a model reads what describes tensors and passes over their bytes") {
  const std::string content = one(raw(std::string(4 << 20U, '\1')), 1, {1024, 1024});
  const MemorySource source("model.onnx", content);
  REQUIRE(read_weights(source).has_value());
  CHECK(source.bytes_read() < 64'000);
}

TEST_CASE("other messages that begin with a number are no ONNX models") {
  CHECK(refusal(number(1, 8)) == "not-a-weight-file");
  CHECK(refusal(number(1, 8) + bytes(2, "made")) == "not-a-weight-file");
  CHECK(refusal(bytes(7, graph({}))) == "not-a-weight-file");  // no version
  CHECK(refusal(number(1, 8) + bytes(7, std::string("\x08\x01"))) == "not-a-weight-file");
  CHECK(refusal(number(1, 1) + bytes(2, bytes(1, "meta") + bytes(2, "graph"))) ==
        "format-unsupported");  // SavedModel
  CHECK(refusal(number(1, 4) + bytes(2, bytes(1, "in")) + bytes(500, "net")) ==
        "format-unsupported");  // Core ML
}

TEST_CASE("truncation at any byte and any bit turned give a value") {
  const std::string content = model(
      {.tensors = {tensor("w", {2, 2}, 10, bytes(5, varint(0x3C00) + "\x01\x02\x03")),
                   tensor("v", {2}, 1, raw_floats({1, 2})),
                   tensor("e", {2}, 1, external("d", "0", "8"))},
       .nodes = {node("Transpose", {"v"}, {"t"}, "t"), node("Gemm", {"x", "t"}, {"y"}, "/a/Gemm")}},
      bytes(14, bytes(1, "k") + bytes(2, "v")));
  for (std::size_t size = 0; size < content.size(); ++size) {
    CHECK(broken_weight_law(content.substr(0, size)) == "");
  }
  for (std::size_t at = 0; at < content.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string turned = content;
      turned[at] = static_cast<char>(static_cast<unsigned char>(turned[at]) ^ (1U << bit));
      const std::string law = broken_weight_law(turned);
      if (!law.empty()) FAIL_CHECK(law, " with bit ", bit, " of byte ", at, " turned");
    }
  }
}

}  // namespace pedigree
