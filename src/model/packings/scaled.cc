// Plain codes of eight bits with scales: FP8 with one scale, one a row, one a block or a
// power of two a group, and INT8 of compressed-tensors.
#include <algorithm>
#include <array>

#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

constexpr std::uint64_t usual_block = 128;

// How many of `size` share one of `groups` scales; blocks are of `declared` where that
// fits, for the last one need not be full.
std::uint64_t shared_by(std::uint64_t size, std::uint64_t groups, std::uint64_t declared) {
  if (groups == 1) return size;
  if (groups == size) return 1;
  if (declared > 0 && size > 0 && (size - 1) / declared + 1 == groups) return declared;
  return group_size(size, groups, declared);
}

PackedMatrix::Grid scale_grid(const PackedParts& parts, std::size_t scales, const TableSize& codes,
                              const QuantizerFacts& declared) {
  PackedMatrix::Grid grid = {.numbers = element_table(parts, scales)};
  const ElementType& type = *parts.entry(scales).type;
  if (type.id == "U8") grid.numbers.type = find_element_type("F8_E8M0");
  grid.row_group =
      shared_by(codes.rows, grid.numbers.rows, declared.block_rows.value_or(usual_block));
  grid.col_group = shared_by(codes.cols, grid.numbers.cols,
                             declared.block_cols.value_or(declared.group.value_or(usual_block)));
  return grid;
}

std::optional<PackedMatrix> with_scales(PackedParts& parts, std::size_t scales,
                                        const QuantizerFacts& declared) {
  const TableSize size = table_size(parts.entry());
  PackedMatrix matrix = {.shape = {size.rows, size.cols}};
  matrix.codes = element_table(parts, parts.codes());
  matrix.scale = scale_grid(parts, scales, size, declared);
  if (matrix.scale->numbers.type != nullptr) matrix.cut_off = e4m3_cut_off;
  return matrix;
}

std::optional<PackedMatrix> recognise_floats(PackedParts& parts, const QuantizerFacts& declared) {
  if (!is_float_of_eight_bits(*parts.entry().type)) return std::nullopt;
  // "inv" or not, all of these multiply.
  constexpr std::array<std::string_view, 4> names = {".weight_scale_inv", ".weight_scale",
                                                     ".scale_weight", ".scale"};
  for (const std::string_view name : names) {
    const auto scales = parts.find(name);
    if (!scales) continue;
    parts.find(".input_scale");
    return with_scales(parts, *scales, declared);
  }
  return std::nullopt;
}

std::optional<PackedMatrix> recognise_integers(PackedParts& parts, const QuantizerFacts& declared) {
  if (parts.entry().type->id != "I8") return std::nullopt;
  const auto scales = parts.find(".weight_scale");
  if (!scales) return std::nullopt;
  auto matrix = with_scales(parts, *scales, declared);
  const auto zeros = parts.find(".weight_zero_point");
  if (zeros && matrix) {
    matrix->zero = scale_grid(parts, *zeros, table_size(parts.entry()), declared);
  }
  return matrix;
}

}  // namespace

const Packing scaled_floats = {.id = "scaled-floats",
                               .title = "FP8 with scales",
                               .suffix = ".weight",
                               .type = "FP8_SCALED",
                               .recognise = recognise_floats};

const Packing scaled_integers = {.id = "scaled-integers",
                                 .title = "INT8 with scales",
                                 .suffix = ".weight",
                                 .type = "INT8_SCALED",
                                 .recognise = recognise_integers};

}  // namespace pedigree::packings
