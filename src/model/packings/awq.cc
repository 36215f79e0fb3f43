// AWQ: four bits. For GEMM kernels codes lie along the outputs, shuffled within a word;
// for GEMV kernels along the inputs, in order.
#include <fmt/format.h>

#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

using Order = NumberField::Order;

constexpr std::string_view code = "packed-tensor";
constexpr unsigned bits = 4;
constexpr std::uint64_t in_a_word = 8;
constexpr std::uint64_t usual_group = 128;

PackedMatrix for_gemm(PackedParts& parts, std::size_t scales, std::size_t zeros,
                      const QuantizerFacts& declared) {
  const TableSize words = table_size(parts.entry());
  const TableSize groups = table_size(parts.entry(scales));
  const std::uint64_t group = group_size(words.rows, groups.rows, declared.group.value_or(0));
  PackedMatrix matrix = {.shape = {groups.cols, words.rows}, .transposed = true};
  const auto shuffled = [&](std::size_t tensor, std::uint64_t rows) {
    return NumberField{.tensor = tensor,
                       .order = Order::shuffled_row,
                       .bits = bits,
                       .rows = rows,
                       .cols = groups.cols};
  };
  matrix.codes = shuffled(parts.codes(), words.rows);
  matrix.scale = {.numbers = element_table(parts, scales), .row_group = group};
  matrix.zero = {.numbers = shuffled(zeros, groups.rows), .row_group = group};
  return matrix;
}

// Scales and zero points are padded to whole words of groups.
PackedMatrix for_gemv(PackedParts& parts, std::size_t scales, std::size_t zeros,
                      const QuantizerFacts& declared) {
  const TableSize words = table_size(parts.entry());
  const TableSize zero_words = table_size(parts.entry(zeros));
  if (words.cols > UINT64_MAX / in_a_word || zero_words.cols > UINT64_MAX / in_a_word) {
    malformed(code, "too many words");
  }
  const std::uint64_t inputs = words.cols * in_a_word;
  const std::uint64_t group = declared.group.value_or(usual_group);
  PackedMatrix matrix = {.shape = {words.rows, inputs}};
  const auto in_order = [&](std::size_t tensor, std::uint64_t cols) {
    return NumberField{.tensor = tensor,
                       .order = Order::along_row,
                       .bits = bits,
                       .rows = words.rows,
                       .cols = cols};
  };
  matrix.codes = in_order(parts.codes(), inputs);
  matrix.scale = {.numbers = element_table(parts, scales), .col_group = group};
  matrix.zero = {.numbers = in_order(zeros, zero_words.cols * in_a_word), .col_group = group};
  return matrix;
}

std::optional<PackedMatrix> recognise(PackedParts& parts, const QuantizerFacts& declared) {
  if (!parts.has(".scales") || parts.entry().type->id != "I32") return std::nullopt;
  const std::size_t scales = parts.require(".scales");
  const TableSize words = table_size(parts.entry());
  const TableSize groups = table_size(parts.entry(scales));
  // Where both fit, groups would be of one input.
  const bool fits_gemv = words.rows == groups.rows;
  const bool fits_gemm =
      words.cols <= UINT64_MAX / in_a_word && words.cols * in_a_word == groups.cols;
  if (fits_gemm && !(fits_gemv && declared.format == "gemv")) {
    return for_gemm(parts, scales, parts.require(".qzeros"), declared);
  }
  if (fits_gemv) {
    return for_gemv(parts, scales, parts.require(".qzeros"), declared);
  }
  malformed(code, fmt::format("{} by {} words of codes and {} by {} scales fit no known packing",
                              words.rows, words.cols, groups.rows, groups.cols));
}

}  // namespace

const Packing awq = {
    .id = "awq", .title = "AWQ", .suffix = ".qweight", .type = "AWQ", .recognise = recognise};

}  // namespace pedigree::packings
