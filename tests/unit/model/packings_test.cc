// Each packing by a matrix small enough to calculate by hand.
#include <doctest/doctest.h>

#include "tests/unit/model/packed_model.h"

namespace pedigree {
namespace {

using Floats = std::vector<float>;

constexpr std::uint16_t half_0_5 = 0x3800;
constexpr std::uint16_t half_2 = 0x4000;

std::string halves(std::size_t count, std::uint16_t value) {
  return raw(std::vector<std::uint16_t>(count, value));
}

// Value by input for each of `outputs` rows.
Floats repeated(const Floats& row, std::size_t outputs) {
  Floats all;
  for (std::size_t i = 0; i < outputs; ++i) all.insert(all.end(), row.begin(), row.end());
  return all;
}

const Floats e2m1 = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};
const std::vector<std::uint8_t> all_nibbles = {0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE};

Floats times(Floats values, float factor) {
  for (float& value : values) value *= factor;
  return values;
}

TEST_CASE("FP8 values are multiplied by the scale of the whole tensor") {
  PackedModel model;
  model.tensor("a.weight", "F8_E4M3", {2, 2}, bytes({0x38, 0x40, 0xB8, 0x30}));
  model.tensor("a.weight_scale", "F32", {}, floats({0.5F}));
  CHECK(*model.values() == Floats{0.5F, 1, -0.5F, 0.25F});
  CHECK(model.open()->parameters == 4);
  CHECK(model.steps() == Floats{0.0625F, 0.125F, 0.0625F, 0.03125F});
}

TEST_CASE("FP8 values are multiplied by the scale of their block, whatever inv may mean") {
  PackedModel model;
  model.declare(R"({"quant_method":"fp8","weight_block_size":[2,2]})");
  model.tensor("a.weight", "F8_E4M3", {3, 3}, bytes(std::vector<std::uint8_t>(9, 0x38)));
  model.tensor("a.weight_scale_inv", "F32", {2, 2}, floats({2, 3, 5, 7}));
  CHECK(*model.values() == Floats{2, 2, 3, 2, 2, 3, 5, 5, 7});
}

TEST_CASE("FP8 rows may have a scale each, and groups of 32 a power of two") {
  PackedModel rows;
  rows.tensor("a.weight", "F8_E5M2", {2, 1}, bytes({0x3C, 0xBC}));  // 1, -1
  rows.tensor("a.weight_scale", "F32", {2, 1}, floats({3, 5}));
  CHECK(*rows.values() == Floats{3, -5});
  PackedModel powers;
  powers.declare(R"({"group_size":32})");
  powers.tensor("a.weight", "F8_E4M3", {1, 64}, bytes(std::vector<std::uint8_t>(64, 0x38)));
  powers.tensor("a.weight_scale", "U8", {1, 2}, bytes({128, 126}));
  const Floats values = *powers.values();
  CHECK(values.front() == 2);
  CHECK(values.back() == 0.5F);
}

PackedModel gptq(std::string_view format) {
  PackedModel model;
  model.declare(R"({"quant_method":"gptq","bits":4,"checkpoint_format":")" + std::string(format) +
                "\"}");
  model.tensor("a.qweight", "I32", {1, 8}, words(std::vector<std::uint32_t>(8, 0x76543210)));
  model.tensor("a.qzeros", "I32", {1, 1}, words({0x33333333}));
  model.tensor("a.scales", "F16", {1, 8}, halves(8, half_0_5));
  return model;
}

TEST_CASE("GPTQ codes run down the inputs; version 1 stores zero points one too small") {
  CHECK(*gptq("gptq").values() == repeated({-2, -1.5F, -1, -0.5F, 0, 0.5F, 1, 1.5F}, 8));
  CHECK(*gptq("gptq_v2").values() == repeated({-1.5F, -1, -0.5F, 0, 0.5F, 1, 1.5F, 2}, 8));
  CHECK(gptq("gptq").open()->parameters == 64);
  for (const float step : gptq("gptq").steps()) CHECK(step == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("GPTQ inputs take the scale their group index names") {
  PackedModel model;
  model.tensor("a.qweight", "I32", {1, 8}, words(std::vector<std::uint32_t>(8, 0x76543210)));
  model.tensor("a.qzeros", "I32", {2, 1}, words({0xFFFFFFFF, 0x33333333}));  // 16 and 4
  std::vector<std::uint16_t> scales(8, half_2);
  scales.resize(16, half_0_5);
  model.tensor("a.scales", "F16", {2, 8}, raw(scales));
  model.tensor("a.g_idx", "I32", {8}, words({1, 0, 1, 1, 0, 0, 0, 0}));
  CHECK(*model.values() == repeated({-2, -30, -1, -0.5F, -24, -22, -20, -18}, 8));
}

TEST_CASE("GPTQ codes of three bits reach over the ends of words") {
  PackedModel model;
  std::vector<std::uint32_t> codes(32, 0x88FAC688);  // 0 1 2 … 7 again and again, 3 bits each
  codes.resize(64, 0xC688FAC6);
  codes.resize(96, 0xFAC688FA);
  model.tensor("a.qweight", "I32", {3, 32}, words(codes));
  model.tensor("a.qzeros", "I32", {1, 3}, words({0, 0, 0}));  // zero points of 1
  model.tensor("a.scales", "F16", {1, 32}, halves(32, half_2));
  CHECK(*model.values() == repeated(repeated({-2, 0, 2, 4, 6, 8, 10, 12}, 4), 32));
}

TEST_CASE("AWQ for GEMM kernels shuffles eight outputs in a word") {
  PackedModel model;
  model.tensor("a.qweight", "I32", {2, 1}, words({0x75316420, 0x75316420}));
  model.tensor("a.qzeros", "I32", {1, 1}, words({0x11111111}));
  model.tensor("a.scales", "F16", {1, 8}, halves(8, half_2));
  CHECK(*model.values() == Floats{-2, -2, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12});
}

TEST_CASE("AWQ for GEMV kernels keeps inputs in order and pads the groups") {
  PackedModel model;
  model.declare(R"({"quant_method":"awq","bits":4,"group_size":8,"version":"gemv"})");
  model.tensor("a.qweight", "I32", {2, 1}, words({0x76543210, 0x01234567}));
  model.tensor("a.qzeros", "I32", {2, 1}, words({0x2, 0x1}));
  model.tensor("a.scales", "F16", {2, 8}, halves(16, half_2));
  CHECK(*model.values() == Floats{-4, -2, 0, 2, 4, 6, 8, 10, 12, 10, 8, 6, 4, 2, 0, -2});
}

// Codes 0 1 2 … 15, the first in the high nibble; code k of the table is worth k.
PackedModel bnb(std::string_view state) {
  PackedModel model;
  model.tensor("a.weight", "U8", {8, 1}, bytes({0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}));
  Floats map(16);
  for (std::size_t i = 0; i < 16; ++i) map[i] = static_cast<float>(i);
  model.tensor("a.weight.quant_map", "F32", {16}, floats(map));
  model.tensor("a.weight.quant_state.bitsandbytes__nf4", "U8", {state.size()}, state);
  return model;
}

TEST_CASE("bitsandbytes looks codes up and scales blocks of the flattened matrix") {
  PackedModel model = bnb(R"({"quant_type":"nf4","blocksize":8,"shape":[4,4]})");
  model.tensor("a.weight.absmax", "F32", {2}, floats({1, 10}));
  CHECK(*model.values() == Floats{0, 1, 2, 3, 4, 5, 6, 7, 80, 90, 100, 110, 120, 130, 140, 150});
  CHECK(model.open()->parameters == 16);
  CHECK(model.steps().back() == 10);
}

TEST_CASE("bitsandbytes may quantise the scales themselves") {
  PackedModel model =
      bnb(R"({"blocksize":8,"shape":[2,8],"nested_blocksize":256,"nested_offset":1.0})");
  model.tensor("a.weight.absmax", "U8", {2}, bytes({1, 2}));
  Floats map(256);
  for (std::size_t i = 0; i < 256; ++i) map[i] = static_cast<float>(i);
  model.tensor("a.weight.nested_quant_map", "F32", {256}, floats(map));
  model.tensor("a.weight.nested_absmax", "F32", {1}, floats({0.5F}));
  CHECK(*model.values() ==
        Floats{0, 1.5F, 3, 4.5F, 6, 7.5F, 9, 10.5F, 16, 18, 20, 22, 24, 26, 28, 30});
}

TEST_CASE("bitsandbytes of eight bits has a scale for each row, over 127") {
  PackedModel model;
  model.tensor("a.weight", "I8", {2, 2}, bytes({127, 129, 64, 0}));  // 129 is −127
  model.tensor("a.SCB", "F32", {2}, floats({2, 1}));
  model.tensor("a.weight_format", "U8", {}, bytes({0}));
  const Floats values = *model.values();
  CHECK(values[0] == doctest::Approx(2));
  CHECK(values[1] == doctest::Approx(-2));
  CHECK(values[2] == doctest::Approx(64.0 / 127));
  CHECK(values[3] == 0);
}

PackedModel ct_packed(const std::vector<std::int64_t>& shape) {
  PackedModel model;
  model.tensor("a.weight_packed", "I32", {2, 1}, words({0xFEDCBA98, 0x01234567}));
  model.tensor("a.weight_scale", "F32", {2, 1}, floats({0.5F, 1}));
  model.tensor("a.weight_shape", "I64", {shape.size()}, raw(shape));
  return model;
}

TEST_CASE("compressed-tensors packs signed codes with half the range added") {
  PackedModel model = ct_packed({2, 8});
  CHECK(*model.values() ==
        Floats{0, 0.5F, 1, 1.5F, 2, 2.5F, 3, 3.5F, -1, -2, -3, -4, -5, -6, -7, -8});
  model.tensor("a.weight_zero_point", "I32", {1, 1}, words({0x89}));  // 1 and 0
  CHECK(*model.values() ==
        Floats{-0.5F, 0, 0.5F, 1, 1.5F, 2, 2.5F, 3, -1, -2, -3, -4, -5, -6, -7, -8});
}

TEST_CASE("integers of eight bits are scaled after their zero point is taken off") {
  PackedModel model;
  model.tensor("a.weight", "I8", {2, 2}, bytes({4, 255, 10, 0}));
  model.tensor("a.weight_scale", "F32", {2, 1}, floats({0.5F, 2}));
  model.tensor("a.weight_zero_point", "I8", {2, 1}, bytes({1, 0}));
  CHECK(*model.values() == Floats{1.5F, -1, 20, 0});
}

TEST_CASE("NVFP4 is divided by its global scale, ModelOpt's multiplied") {
  PackedModel divided;
  divided.tensor("a.weight_packed", "U8", {1, 8}, bytes(all_nibbles));
  divided.tensor("a.weight_scale", "F8_E4M3", {1, 1}, bytes({0x40}));  // 2
  divided.tensor("a.weight_global_scale", "F32", {1}, floats({4}));
  CHECK(*divided.values() == times(e2m1, 0.5F));
  PackedModel multiplied;
  multiplied.tensor("a.weight", "U8", {1, 8}, bytes(all_nibbles));
  multiplied.tensor("a.weight_scale", "F8_E4M3", {1, 1}, bytes({0x40}));
  multiplied.tensor("a.weight_scale_2", "F32", {}, floats({4}));
  CHECK(*multiplied.values() == times(e2m1, 8));
}

TEST_CASE("MXFP4 groups of 32 share a power of two") {
  std::vector<std::uint8_t> codes = all_nibbles;
  codes.insert(codes.end(), all_nibbles.begin(), all_nibbles.end());
  PackedModel model;
  model.tensor("a.weight_packed", "U8", {1, 16}, bytes(codes));
  model.tensor("a.weight_scale", "U8", {1, 1}, bytes({128}));
  CHECK(*model.values() == repeated(times(e2m1, 2), 2));
}

TEST_CASE("MXFP4 blocks hold the matrices of all experts") {
  std::vector<std::uint8_t> codes;
  for (int i = 0; i < 4; ++i) codes.insert(codes.end(), all_nibbles.begin(), all_nibbles.end());
  PackedModel model;
  model.tensor("m.gate_up_proj_blocks", "U8", {2, 1, 1, 16}, bytes(codes));
  model.tensor("m.gate_up_proj_scales", "U8", {2, 1, 1}, bytes({127, 126}));
  Floats expected = repeated(e2m1, 2);
  const Floats second = repeated(times(e2m1, 0.5F), 2);
  expected.insert(expected.end(), second.begin(), second.end());
  CHECK(*model.values() == expected);
  CHECK(model.open()->packed[0].name == "m.gate_up_proj");
  CHECK(model.open()->packed[0].shape == std::vector<std::uint64_t>{2, 1, 32});
}

TEST_CASE("MLX adds a bias after scaling") {
  PackedModel model;
  model.declare(R"({"group_size":32,"bits":4})");
  model.tensor("a.weight", "U32", {1, 4}, words({0x76543210, 0xFEDCBA98, 0x76543210, 0xFEDCBA98}));
  model.tensor("a.scales", "F32", {1, 1}, floats({0.5F}));
  model.tensor("a.biases", "F32", {1, 1}, floats({-1}));
  Floats row;
  for (int i = 0; i < 16; ++i) row.push_back(static_cast<float>(i) * 0.5F - 1);
  CHECK(*model.values() == repeated(row, 2));
}

PackedModel hqq(std::int32_t axis) {
  PackedModel model;
  model.tensor("a.W_q", "U8", {1, 4}, bytes({0x10, 0x21, 0x32, 0x43}));
  model.tensor("a.shape", "I64", {2}, raw<std::int64_t>({2, 4}));
  model.tensor("a.nbits", "I32", {}, raw<std::int32_t>({4}));
  model.tensor("a.axis", "I32", {}, raw<std::int32_t>({axis}));
  return model;
}

TEST_CASE("HQQ puts the first half of the rows into high nibbles, groups along either axis") {
  PackedModel rows = hqq(1);
  rows.tensor("a.scale", "F32", {2, 1}, floats({0.5F, 1}));
  rows.tensor("a.zero", "F32", {2, 1}, floats({1, 2}));
  CHECK(*rows.values() == Floats{0, 0.5F, 1, 1.5F, -2, -1, 0, 1});
  PackedModel columns = hqq(0);
  columns.tensor("a.scale", "F32", {1, 4}, floats({1, 1, 2, 2}));
  columns.tensor("a.zero", "F32", {1, 4}, floats({0, 1, 0, 1}));
  CHECK(*columns.values() == Floats{1, 1, 6, 6, 0, 0, 4, 4});
}

}  // namespace
}  // namespace pedigree
