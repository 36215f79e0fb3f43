// compressed-tensors: dense streams of bits, and four-bit floats of two kinds. Its plain
// formats of eight bits are in scaled.cc. And NVIDIA's ModelOpt, which names the same
// four-bit floats otherwise and multiplies where the other divides.
#include <fmt/format.h>

#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

using Order = NumberField::Order;

constexpr std::string_view code = "packed-tensor";

std::uint64_t words_of(std::uint64_t numbers, std::uint64_t bits) {
  std::uint64_t total = 0;
  if (__builtin_mul_overflow(numbers, bits, &total)) return 0;
  return total / 32 + (total % 32 == 0 ? 0 : 1);
}

// The width at which a row fills its words; the declared one where several do, and else
// the usual one.
unsigned bits_of(std::uint64_t inputs, std::uint64_t words, const QuantizerFacts& declared) {
  const std::uint64_t said = declared.bits.value_or(0);
  if (said >= 1 && said <= 8 && words_of(inputs, said) == words) {
    return static_cast<unsigned>(said);
  }
  for (const unsigned bits : {4U, 8U, 2U, 3U, 5U, 6U, 7U, 1U}) {
    if (words_of(inputs, bits) == words) return bits;
  }
  malformed(code, fmt::format("{} words do not hold {} inputs", words, inputs));
}

std::optional<PackedMatrix> recognise_packed(PackedParts& parts, const QuantizerFacts& declared) {
  if (parts.entry().type->id != "I32") return std::nullopt;
  const std::size_t scales = parts.require(".weight_scale");
  const auto said = parts.read_integers(parts.require(".weight_shape"));
  const TableSize words = table_size(parts.entry());
  if (said.size() != 2 || said[1] <= 0 || static_cast<std::uint64_t>(said[0]) != words.rows) {
    malformed(code, "its weight_shape is not that of its codes");
  }
  const auto inputs = static_cast<std::uint64_t>(said[1]);
  const unsigned bits = bits_of(inputs, words.cols, declared);
  const auto offset = static_cast<float>(1U << (bits - 1));

  PackedMatrix matrix = {.shape = {words.rows, inputs}};
  matrix.codes = {.tensor = parts.codes(),
                  .order = Order::along_row,
                  .bits = bits,
                  .rows = words.rows,
                  .cols = inputs};
  matrix.code_offset = offset;
  PackedMatrix::Grid grid = {.numbers = element_table(parts, scales)};
  if (grid.numbers.rows == 1) grid.row_group = words.rows;
  grid.col_group = group_size(inputs, grid.numbers.cols, declared.group.value_or(0));
  if (const auto index = parts.find(".weight_g_idx")) {
    matrix.groups = NumberField{.tensor = *index, .rows = inputs};
    matrix.groups_are_columns = true;
  }
  if (const auto zeros = parts.find(".weight_zero_point")) {
    matrix.zero = grid;
    matrix.zero->numbers = {.tensor = *zeros,
                            .order = Order::along_column,
                            .bits = bits,
                            .rows = grid.numbers.rows,
                            .cols = grid.numbers.cols};
    matrix.zero_offset = -offset;
  }
  matrix.scale = grid;
  return matrix;
}

PackedMatrix four_bit_floats(PackedParts& parts, std::size_t scales, std::string_view scale_type) {
  const TableSize bytes = table_size(parts.entry());
  if (bytes.cols > UINT64_MAX / 2) malformed(code, "too many codes");
  const std::uint64_t inputs = bytes.cols * 2;
  PackedMatrix matrix = {.shape = {bytes.rows, inputs}, .table = e2m1_values()};
  matrix.codes = {.tensor = parts.codes(),
                  .order = Order::along_row,
                  .bits = 4,
                  .rows = bytes.rows,
                  .cols = inputs};
  PackedMatrix::Grid grid = {.numbers = element_table(parts, scales)};
  grid.numbers.type = find_element_type(scale_type);
  grid.col_group = group_size(inputs, grid.numbers.cols, 0);
  matrix.scale = grid;
  return matrix;
}

std::optional<PackedMatrix> recognise_nvfp4(PackedParts& parts, const QuantizerFacts&) {
  if (parts.entry().type->id != "U8" || !parts.has(".weight_global_scale")) return std::nullopt;
  PackedMatrix matrix = four_bit_floats(parts, parts.require(".weight_scale"), "F8_E4M3");
  matrix.tensor_scale = element_table(parts, parts.require(".weight_global_scale"));
  matrix.divides_by_tensor_scale = true;
  parts.find(".input_global_scale");
  return matrix;
}

std::optional<PackedMatrix> recognise_mxfp4(PackedParts& parts, const QuantizerFacts&) {
  if (parts.entry().type->id != "U8") return std::nullopt;
  PackedMatrix matrix = four_bit_floats(parts, parts.require(".weight_scale"), "F8_E8M0");
  matrix.cut_off = e2m1_cut_off;
  return matrix;
}

std::optional<PackedMatrix> recognise_modelopt(PackedParts& parts, const QuantizerFacts&) {
  if (parts.entry().type->id != "U8" || !parts.has(".weight_scale_2")) return std::nullopt;
  PackedMatrix matrix = four_bit_floats(parts, parts.require(".weight_scale"), "F8_E4M3");
  matrix.tensor_scale = element_table(parts, parts.require(".weight_scale_2"));
  parts.find(".input_scale");
  return matrix;
}

}  // namespace

const Packing ct_packed = {.id = "pack-quantized",
                           .title = "compressed-tensors, packed integers",
                           .suffix = ".weight_packed",
                           .type = "CT_PACKED",
                           .checked = "words of the packer of compressed-tensors 0.20",
                           .recognise = recognise_packed};

const Packing ct_nvfp4 = {.id = "nvfp4-pack-quantized",
                          .title = "compressed-tensors NVFP4",
                          .suffix = ".weight_packed",
                          .type = "NVFP4",
                          .recognise = recognise_nvfp4};

const Packing ct_mxfp4 = {.id = "mxfp4-pack-quantized",
                          .title = "compressed-tensors MXFP4",
                          .suffix = ".weight_packed",
                          .type = "MXFP4",
                          .recognise = recognise_mxfp4};

const Packing modelopt = {.id = "modelopt-nvfp4",
                          .title = "ModelOpt NVFP4",
                          .suffix = ".weight",
                          .type = "NVFP4",
                          .recognise = recognise_modelopt};

}  // namespace pedigree::packings
