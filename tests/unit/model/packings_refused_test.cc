// Tensors of quantised matrices that contradict each other: a problem, and never values.
#include <doctest/doctest.h>

#include "tests/unit/model/packed_model.h"

namespace pedigree {
namespace {

constexpr std::uint64_t half = 2;  // bytes

std::string zeros(std::uint64_t size) { return std::string(size, '\0'); }

struct GptqShapes {
  std::vector<std::uint64_t> codes = {1, 8};
  std::vector<std::uint64_t> zero_points = {1, 1};
  std::vector<std::uint64_t> scales = {1, 8};
  std::vector<std::uint32_t> groups = {};
};

std::uint64_t product(const std::vector<std::uint64_t>& shape) {
  std::uint64_t result = 1;
  for (const std::uint64_t size : shape) result *= size;
  return result;
}

PackedModel gptq(const GptqShapes& shapes) {
  PackedModel model;
  model.tensor("a.qweight", "I32", shapes.codes, zeros(4 * product(shapes.codes)));
  model.tensor("a.qzeros", "I32", shapes.zero_points, zeros(4 * product(shapes.zero_points)));
  model.tensor("a.scales", "F16", shapes.scales, zeros(half * product(shapes.scales)));
  if (!shapes.groups.empty()) {
    model.tensor("a.g_idx", "I32", {shapes.groups.size()}, words(shapes.groups));
  }
  return model;
}

bool is_refused(const PackedModel& model) {
  return model.problems().starts_with("packed-tensor") && model.open()->packed.empty();
}

TEST_CASE("honest tensors bring no problem") {
  CHECK(gptq({}).problems().empty());
  CHECK(gptq({.groups = {0, 0, 0, 0, 0, 0, 0, 0}}).problems().empty());
}

TEST_CASE("group indices beyond the scales are found when they are read") {
  CHECK(gptq({.groups = {0, 0, 0, 0, 1, 0, 0, 0}}).problems() == "read:packed-tensor");
  CHECK(gptq({.groups = {0, 0, 0, 0, 0xFFFFFFFF, 0, 0, 0}}).problems() == "read:packed-tensor");
}

TEST_CASE("group indices of another number than the inputs are refused") {
  CHECK(is_refused(gptq({.groups = {0, 0, 0, 0, 0, 0, 0}})));
}

TEST_CASE("scales that do not divide the inputs are refused") {
  CHECK(is_refused(gptq({.zero_points = {3, 1}, .scales = {3, 8}})));
}

TEST_CASE("zero points that do not fit the outputs are refused") {
  CHECK(is_refused(gptq({.zero_points = {1, 5}})));
  CHECK(is_refused(gptq({.zero_points = {0, 1}})));
}

TEST_CASE("tables of no numbers or of three axes are refused") {
  CHECK(is_refused(gptq({.codes = {0, 8}})));
  CHECK(is_refused(gptq({.codes = {1, 1, 8}})));
}

TEST_CASE("codes without their scales are an encoding that is not decoded") {
  PackedModel model;
  model.tensor("a.qweight", "I32", {1, 8}, zeros(32));
  CHECK(model.problems() == "unsupported-encoding ");
}

TEST_CASE("declared bits that the tensors do not have are told, and the tensors believed") {
  PackedModel model = gptq({});
  model.declare(R"({"quant_method":"gptq","bits":8})");
  CHECK(model.problems() == "config-quantization-mismatch ");
}

TEST_CASE("an absurd declared group size neither divides by zero nor is believed") {
  for (const std::string_view group : {"0", "-1", "3", "18446744073709551615", "\"many\""}) {
    PackedModel model;
    model.declare(R"({"quant_method":"awq","version":"gemv","group_size":)" + std::string(group) +
                  "}");
    model.tensor("a.qweight", "I32", {2, 1}, zeros(8));
    model.tensor("a.qzeros", "I32", {2, 1}, zeros(8));
    model.tensor("a.scales", "F16", {2, 1}, zeros(4));
    CAPTURE(group);
    const std::string problems = model.problems();
    CHECK((problems.empty() || problems.starts_with("packed-tensor")));
  }
}

PackedModel bnb(std::string_view state, std::uint64_t scales = 1) {
  PackedModel model;
  model.tensor("a.weight", "U8", {8, 1}, zeros(8));
  model.tensor("a.weight.absmax", "F32", {scales}, zeros(4 * scales));
  model.tensor("a.weight.quant_map", "F32", {16}, zeros(64));
  model.tensor("a.weight.quant_state.bitsandbytes__nf4", "U8", {state.size()}, state);
  return model;
}

TEST_CASE("a quant_state that does not describe its matrix is refused") {
  CHECK(bnb(R"({"blocksize":16,"shape":[2,8]})").problems().empty());
  for (const std::string_view state :
       {"{", "[]", "{}", R"({"blocksize":0,"shape":[2,8]})", R"({"blocksize":16,"shape":[2]})",
        R"({"blocksize":16,"shape":[2,9]})", R"({"blocksize":16,"shape":[2,16]})",
        R"({"blocksize":16,"shape":[0,8]})", R"({"blocksize":8,"shape":[2,8]})",
        R"({"blocksize":16,"shape":[4294967296,4294967296]})",
        R"({"blocksize":18446744073709551615,"shape":[2,8]})", R"({"blocksize":16,"shape":[-2,8]})",
        R"({"blocksize":16,"shape":[2,8],"nested_blocksize":256})",
        R"({"blocksize":16,"shape":[2,8],"nested_blocksize":0,"nested_offset":0})"}) {
    CAPTURE(state);
    CHECK(is_refused(bnb(state)));
  }
  CHECK(is_refused(bnb(std::string(5000, ' '))));
}

TEST_CASE("a weight_shape that is not that of the codes is refused") {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{2, 80}, {3, 8}, {2, -8}, {2, 0}, {2}, {INT64_MAX, INT64_MAX}}) {
    PackedModel model;
    model.tensor("a.weight_packed", "I32", {2, 1}, zeros(8));
    model.tensor("a.weight_scale", "F32", {2, 1}, zeros(8));
    model.tensor("a.weight_shape", "I64", {shape.size()}, raw(shape));
    CHECK(is_refused(model));
  }
}

TEST_CASE("MLX scales that make no known group are refused") {
  PackedModel model;
  model.tensor("a.weight", "U32", {1, 7}, zeros(28));
  model.tensor("a.scales", "F32", {1, 1}, zeros(4));
  model.tensor("a.biases", "F32", {1, 1}, zeros(4));
  CHECK(is_refused(model));
}

TEST_CASE("MXFP4 blocks whose scales are of another shape are refused") {
  PackedModel model;
  model.tensor("m_blocks", "U8", {2, 1, 1, 16}, zeros(32));
  model.tensor("m_scales", "U8", {1, 1, 2}, zeros(2));
  CHECK(is_refused(model));
}

TEST_CASE("HQQ with absurd bits, axes or shapes is refused") {
  const auto hqq = [](std::int32_t bits, std::int32_t axis, std::int64_t columns) {
    PackedModel model;
    model.tensor("a.W_q", "U8", {1, 4}, zeros(4));
    model.tensor("a.shape", "I64", {2}, raw<std::int64_t>({2, columns}));
    model.tensor("a.nbits", "I32", {}, raw<std::int32_t>({bits}));
    model.tensor("a.axis", "I32", {}, raw<std::int32_t>({axis}));
    model.tensor("a.scale", "F32", {2, 1}, zeros(8));
    model.tensor("a.zero", "F32", {2, 1}, zeros(8));
    return model;
  };
  CHECK(hqq(4, 1, 4).problems().empty());
  CHECK(is_refused(hqq(0, 1, 4)));
  CHECK(is_refused(hqq(-4, 1, 4)));
  CHECK(is_refused(hqq(32, 1, 4)));
  CHECK(is_refused(hqq(4, 2, 4)));
  CHECK(is_refused(hqq(4, 1, 400)));
  CHECK(is_refused(hqq(4, 1, INT64_MAX)));
}

TEST_CASE("a file cut inside the codes is a problem of reading") {
  const auto model = gptq({}).open();
  REQUIRE(model != nullptr);
  model->shards[0] = std::make_unique<MemorySource>("model.safetensors", "short");
  CHECK_FALSE(read_all(*model, PackedModel::whole(*model)).has_value());
}

}  // namespace
}  // namespace pedigree
