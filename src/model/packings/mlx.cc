// MLX: groups of a row with a scale and a bias each, or small floats with a scale. Neither
// bits nor group size show in the shapes, only their product does.
#include <fmt/format.h>

#include <array>

#include "base/checked.h"
#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

using Order = NumberField::Order;

constexpr std::string_view code = "packed-tensor";

struct Groups {
  unsigned bits = 0;
  std::uint64_t size = 0;
};

bool is_bits(std::uint64_t bits) { return (bits >= 2 && bits <= 6) || bits == 8; }

// Some modules have other bits than declared; the group size is nearly always one.
Groups groups_of(std::uint64_t product, const QuantizerFacts& declared) {
  const std::uint64_t said = declared.group.value_or(64);
  if (declared.bits && is_bits(*declared.bits) && said > 0 && said <= product &&
      *declared.bits * said == product) {
    return {.bits = static_cast<unsigned>(*declared.bits), .size = said};
  }
  for (const std::uint64_t size :
       {said, std::uint64_t{64}, std::uint64_t{32}, std::uint64_t{128}}) {
    if (size > 0 && product % size == 0 && is_bits(product / size)) {
      return {.bits = static_cast<unsigned>(product / size), .size = size};
    }
  }
  malformed(code, fmt::format("{} bits to a scale are no known group", product));
}

struct Stack {
  std::uint64_t rows = 1;  // of all matrices
  std::uint64_t cols = 0;
};

// Experts are stored as [experts, out, in].
Stack stack_of(const TensorEntry& entry) {
  if (entry.shape.size() != 2 && entry.shape.size() != 3) {
    malformed(code, fmt::format("{} axes of codes or scales", entry.shape.size()));
  }
  Stack stack = {.cols = entry.shape.back()};
  for (std::size_t axis = 0; axis + 1 < entry.shape.size(); ++axis) {
    stack.rows = checked_multiply(stack.rows, entry.shape[axis], code);
  }
  return stack;
}

// Small floats without biases: MXFP4, MXFP8 and NVFP4, told apart by bits to a scale.
Groups use_small_floats(std::uint64_t product, NumberField& scales, PackedMatrix& matrix) {
  Groups groups;
  std::string_view scale_type = "F8_E8M0";
  if (product == 128) {
    groups = {.bits = 4, .size = 32};
    matrix.cut_off = e2m1_cut_off;
  } else if (product == 64) {
    groups = {.bits = 4, .size = 16};
    scale_type = "F8_E4M3";
  } else if (product == 256) {
    groups = {.bits = 8, .size = 32};
    matrix.cut_off = e4m3_cut_off;
    matrix.codes.type = find_element_type("F8_E4M3");
  } else {
    malformed(code, fmt::format("{} bits to a scale are no known group", product));
  }
  if (groups.bits == 4) matrix.table = e2m1_values();
  scales.type = find_element_type(scale_type);
  return groups;
}

std::optional<PackedMatrix> recognise(PackedParts& parts, const QuantizerFacts& declared) {
  if (parts.entry().type->id != "U32" || !parts.has(".scales")) return std::nullopt;
  const std::size_t scales = parts.require(".scales");
  const Stack words = stack_of(parts.entry());
  const Stack of_scales = stack_of(parts.entry(scales));
  const std::uint64_t bits_of_row = checked_multiply(words.cols, 32, code);
  if (words.rows != of_scales.rows || of_scales.cols == 0 || bits_of_row % of_scales.cols != 0) {
    malformed(code, "its scales are not those of its codes");
  }
  const std::uint64_t product = bits_of_row / of_scales.cols;
  PackedMatrix matrix = {.shape = parts.entry().shape};
  PackedMatrix::Grid grid = {
      .numbers = {.tensor = scales, .rows = words.rows, .cols = of_scales.cols}};
  matrix.codes = {.tensor = parts.codes(), .order = Order::along_row, .rows = words.rows};
  Groups groups;
  if (parts.entry(scales).type->id == "U8") {
    groups = use_small_floats(product, grid.numbers, matrix);
  } else {
    groups = groups_of(product, declared);
    PackedMatrix::Grid biases = grid;
    biases.numbers.tensor = parts.require(".biases");
    biases.col_group = groups.size;
    matrix.zero = biases;
    matrix.zero_is_bias = true;
    // One end of a group is hit exactly; the other may lie a step beyond the last code.
    matrix.cut_off = 1;
  }
  grid.col_group = groups.size;
  matrix.scale = grid;
  if (matrix.codes.type != nullptr) matrix.codes.order = Order::elements;
  matrix.codes.bits = groups.bits;
  matrix.codes.cols = bits_of_row / groups.bits;
  matrix.shape.back() = matrix.codes.cols;
  return matrix;
}

}  // namespace

const Packing mlx = {.id = "mlx",
                     .title = "MLX",
                     .suffix = ".weight",
                     .type = "MLX",
                     .checked = "mlx 0.32",
                     .recognise = recognise};

}  // namespace pedigree::packings
