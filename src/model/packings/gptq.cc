// GPTQ: codes behind each other down the inputs, zero points along the outputs. Version 1
// stores zero points one too small.
#include <fmt/format.h>

#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

using Order = NumberField::Order;

constexpr std::string_view code = "packed-tensor";

bool is_bits(std::uint64_t bits) { return bits == 2 || bits == 3 || bits == 4 || bits == 8; }

struct Shape {
  std::uint64_t words = 0;  // down the inputs
  std::uint64_t outputs = 0;
};

// What makes the other tensors fit; the config where they do not tell.
std::uint64_t bits_of(PackedParts& parts, const Shape& shape, std::optional<std::size_t> zeros,
                      std::optional<std::size_t> index, const QuantizerFacts& declared) {
  std::uint64_t of_words = 0;
  std::uint64_t total = 0;
  if (index) {
    total = parts.entry(*index).element_count();
    of_words = shape.words;
  } else if (zeros) {
    total = shape.outputs;
    of_words = table_size(parts.entry(*zeros)).cols;
  }
  const bool whole = total > 0 && of_words <= UINT64_MAX / 32 && of_words * 32 % total == 0;
  const std::uint64_t bits = whole ? of_words * 32 / total : declared.bits.value_or(0);
  if (!is_bits(bits)) malformed(code, fmt::format("numbers of {} bits", bits));
  return bits;
}

std::optional<PackedMatrix> recognise(PackedParts& parts, const QuantizerFacts& declared) {
  if (!parts.has(".scales") || parts.entry().type->id != "I32" || declared.format == "gemv") {
    return std::nullopt;
  }
  const std::size_t scales = parts.require(".scales");
  const TableSize groups = table_size(parts.entry(scales));
  const TableSize words = table_size(parts.entry());
  if (words.cols != groups.cols) return std::nullopt;
  const std::optional<std::size_t> zeros = parts.find(".qzeros");
  const std::optional<std::size_t> index = parts.find(".g_idx");
  const Shape shape = {.words = words.rows, .outputs = words.cols};
  const auto bits = static_cast<unsigned>(bits_of(parts, shape, zeros, index, declared));
  if (words.rows > UINT64_MAX / 32) malformed(code, "too many words");
  const std::uint64_t inputs = index ? parts.entry(*index).element_count() : words.rows * 32 / bits;
  const std::uint64_t group =
      index ? 1 : group_size(inputs, groups.rows, declared.group.value_or(0));

  PackedMatrix matrix = {.shape = {words.cols, inputs}, .transposed = true};
  matrix.codes = {.tensor = parts.codes(),
                  .order = Order::along_column,
                  .bits = bits,
                  .rows = inputs,
                  .cols = words.cols};
  matrix.scale = {.numbers = element_table(parts, scales), .row_group = group};
  if (zeros) {
    matrix.zero = {.numbers = {.tensor = *zeros,
                               .order = Order::along_row,
                               .bits = bits,
                               .rows = groups.rows,
                               .cols = words.cols},
                   .row_group = group};
    matrix.zero_offset = declared.format == "gptq_v2" ? 0 : 1;
  } else {
    matrix.code_offset = static_cast<float>(1U << (bits - 1));
  }
  if (index) matrix.groups = NumberField{.tensor = *index, .rows = inputs};
  return matrix;
}

}  // namespace

const Packing gptq = {.id = "gptq",
                      .title = "GPTQ",
                      .suffix = ".qweight",
                      .type = "GPTQ",
                      .checked = "the packer of auto-gptq 0.7.1",
                      .recognise = recognise};

}  // namespace pedigree::packings
