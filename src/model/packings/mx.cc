// MXFP4 as gpt-oss stores stacks of experts: blocks of 32 four-bit floats in 16 bytes, the
// even one in the low nibble, and a power of two for each.
#include <fmt/format.h>

#include "base/checked.h"
#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

constexpr std::string_view code = "packed-tensor";
constexpr std::uint64_t block = 32;
constexpr std::uint64_t block_bytes = 16;

std::optional<PackedMatrix> recognise(PackedParts& parts, const QuantizerFacts&) {
  const std::vector<std::uint64_t>& shape = parts.entry().shape;
  if (parts.entry().type->id != "U8" || shape.size() != 4) return std::nullopt;
  const std::size_t scales = parts.require("_scales");
  const std::vector<std::uint64_t>& of_scales = parts.entry(scales).shape;
  const bool fits = shape[3] == block_bytes && of_scales.size() == 3 && of_scales[0] == shape[0] &&
                    of_scales[1] == shape[1] && of_scales[2] == shape[2];
  if (!fits) malformed(code, "its scales are not one for each block of 16 bytes");
  const std::uint64_t rows = checked_multiply(shape[0], shape[1], code);
  const std::uint64_t cols = checked_multiply(shape[2], block, code);
  PackedMatrix matrix = {.name = parts.prefix(),
                         .shape = {shape[0], shape[1], cols},
                         .table = e2m1_values(),
                         .cut_off = e2m1_cut_off};
  matrix.codes = {.tensor = parts.codes(),
                  .order = NumberField::Order::along_row,
                  .bits = 4,
                  .rows = rows,
                  .cols = cols};
  matrix.scale = {.numbers = {.tensor = scales,
                              .rows = rows,
                              .cols = shape[2],
                              .type = find_element_type("F8_E8M0")},
                  .col_group = block};
  return matrix;
}

}  // namespace

const Packing mx_blocks = {.id = "mxfp4-blocks",
                           .title = "MXFP4 blocks",
                           .suffix = "_blocks",
                           .type = "MXFP4",
                           .recognise = recognise};

}  // namespace pedigree::packings
