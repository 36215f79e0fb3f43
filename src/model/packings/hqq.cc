// HQQ: the matrix folded into groups along one axis, the first run of rows in the highest
// bits of a byte (or of a word, for three bits), with scales and zero points as floats.
#include <fmt/format.h>

#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

constexpr std::string_view code = "packed-tensor";

std::int64_t one_integer(PackedParts& parts, std::string_view suffix) {
  const auto numbers = parts.read_integers(parts.require(suffix));
  if (numbers.size() != 1) malformed(code, fmt::format("{} is not one number", suffix));
  return numbers[0];
}

std::optional<PackedMatrix> recognise(PackedParts& parts, const QuantizerFacts&) {
  const std::size_t scales = parts.require(".scale");
  const auto shape = parts.read_integers(parts.require(".shape"));
  const std::int64_t bits = one_integer(parts, ".nbits");
  const std::int64_t axis = one_integer(parts, ".axis");
  const std::uint64_t groups = parts.entry(scales).element_count();
  if (shape.size() != 2 || shape[0] <= 0 || shape[1] <= 0 || groups == 0) {
    malformed(code, "its shape is not that of a matrix");
  }
  if (bits < 1 || bits > 8 || axis < 0 || axis > 1) {
    malformed(code, fmt::format("{} bits along axis {}", bits, axis));
  }
  const auto rows = static_cast<std::uint64_t>(shape[0]);
  const auto cols = static_cast<std::uint64_t>(shape[1]);
  std::uint64_t count = 0;
  if (__builtin_mul_overflow(rows, cols, &count) || count % groups != 0) {
    malformed(code, fmt::format("{} groups do not fill {} by {} values", groups, rows, cols));
  }
  const std::uint64_t group = count / groups;
  PackedMatrix matrix = {.shape = {rows, cols}};
  matrix.codes = {.tensor = parts.codes(),
                  .order = NumberField::Order::high_row_first,
                  .bits = static_cast<unsigned>(bits),
                  .rows = axis == 1 ? groups : group,
                  .cols = axis == 1 ? group : groups};
  PackedMatrix::Grid grid = {
      .numbers = {.tensor = scales, .rows = axis == 1 ? groups : 1, .cols = axis == 1 ? 1 : groups},
      .row_group = axis == 1 ? 1 : group,
      .col_group = axis == 1 ? group : 1};
  matrix.scale = grid;
  grid.numbers.tensor = parts.require(".zero");
  matrix.zero = grid;
  for (const std::string_view beside :
       {".group_size", ".packing", ".unpack_view_dtype", ".view_as_float", ".quant_scale",
        ".quant_zero", ".compute_dtype", ".channel_wise", ".optimize", ".round_zero",
        ".offload_meta", ".encoded_state_dict", ".stores_quant_config"}) {
    parts.find(beside);
  }
  return matrix;
}

}  // namespace

const Packing hqq = {
    .id = "hqq", .title = "HQQ", .suffix = ".W_q", .type = "HQQ", .recognise = recognise};

}  // namespace pedigree::packings
