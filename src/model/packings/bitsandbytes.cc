// bitsandbytes: four bits by a table, in blocks of the flattened matrix, whose scales may
// be quantised themselves; and eight bits with a scale for each row.
#include <fmt/format.h>

#include <limits>

#include "base/json.h"
#include "model/packings/known_packings.h"

namespace pedigree::packings {
namespace {

using Order = NumberField::Order;

constexpr std::string_view code = "packed-tensor";

// The small JSON text that says how a matrix was quantised.
struct QuantState {
  std::vector<std::uint64_t> shape = {};
  std::uint64_t block = 0;
  std::uint64_t nested_block = 0;  // 0: scales are stored as they are
  float nested_offset = 0;
};

std::uint64_t required_count(const JsonValue& state, std::string_view key) {
  const JsonValue* value = state.find(key);
  const auto count = value == nullptr ? std::nullopt : value->as_u64();
  if (!count || *count == 0) malformed(code, fmt::format("its quant_state has no usable {}", key));
  return *count;
}

QuantState read_state(const PackedParts& parts, std::size_t tensor) {
  const auto document = parse_json(parts.read_text(tensor), "quant_state");
  if (!document) malformed(code, "its quant_state is no JSON: " + document.error().message);
  const JsonValue& root = document->root;
  QuantState state = {.block = required_count(root, "blocksize")};
  const JsonValue* shape = root.find("shape");
  if (shape == nullptr || shape->items.size() != 2) malformed(code, "its quant_state has no shape");
  for (const JsonValue& item : shape->items) state.shape.push_back(item.as_u64().value_or(0));
  if (root.find("nested_blocksize") == nullptr) return state;
  state.nested_block = required_count(root, "nested_blocksize");
  const JsonValue* offset = root.find("nested_offset");
  const auto number = offset == nullptr ? std::nullopt : offset->as_number();
  if (!number) malformed(code, "its quant_state has no nested_offset");
  state.nested_offset = static_cast<float>(*number);
  return state;
}

NumberField column(const PackedParts& parts, std::size_t tensor) {
  return {.tensor = tensor, .rows = parts.entry(tensor).element_count()};
}

std::optional<PackedMatrix> recognise_4bit(PackedParts& parts, const QuantizerFacts&) {
  const std::string_view id = parts.entry().type->id;
  if (id != "U8" && id != "I8") return std::nullopt;
  std::string rest;
  const auto blob = parts.find_starting(".weight.quant_state.bitsandbytes__", rest);
  if (!blob) return std::nullopt;
  const QuantState state = read_state(parts, *blob);
  std::uint64_t count = 0;
  if (__builtin_mul_overflow(state.shape[0], state.shape[1], &count) || count % state.block != 0) {
    malformed(code, "blocks do not fill the matrix");
  }
  PackedMatrix matrix = {.shape = state.shape};
  matrix.codes = {.tensor = parts.codes(),
                  .order = Order::high_first,
                  .bits = 4,
                  .rows = count / state.block,
                  .cols = state.block};
  matrix.table_field = column(parts, parts.require(".weight.quant_map"));
  matrix.scale = {.numbers = column(parts, parts.require(".weight.absmax")),
                  .col_group = state.block};
  if (matrix.table_field->rows > 256) malformed(code, "a table of more than 256 values");
  if (state.nested_block == 0) return matrix;
  matrix.nested = {.table = column(parts, parts.require(".weight.nested_quant_map")),
                   .scales = column(parts, parts.require(".weight.nested_absmax")),
                   .group = state.nested_block,
                   .offset = state.nested_offset};
  if (matrix.nested->table.rows > 256) malformed(code, "a table of more than 256 values");
  return matrix;
}

std::optional<PackedMatrix> recognise_int8(PackedParts& parts, const QuantizerFacts&) {
  if (parts.entry().type->id != "I8") return std::nullopt;
  const auto scales = parts.find(".SCB");
  if (!scales) return std::nullopt;
  if (const auto format = parts.find(".weight_format")) {
    // Others are tiles of a graphics card's memory.
    const auto said = parts.read_integers(*format);
    if (said.size() != 1 || said[0] != 0) malformed(code, "its weight_format is not row by row");
  }
  const TableSize size = table_size(parts.entry());
  PackedMatrix matrix = {.shape = {size.rows, size.cols}};
  matrix.codes = element_table(parts, parts.codes());
  matrix.scale = {.numbers = column(parts, *scales), .col_group = size.cols};
  matrix.factor = 1.0F / 127;
  return matrix;
}

}  // namespace

const Packing bnb_4bit = {.id = "bitsandbytes-4bit",
                          .title = "bitsandbytes NF4 and FP4",
                          .suffix = ".weight",
                          .type = "BNB_4BIT",
                          .checked = "the CPU decoder of bitsandbytes",
                          .recognise = recognise_4bit};

const Packing bnb_int8 = {.id = "bitsandbytes-int8",
                          .title = "bitsandbytes INT8",
                          .suffix = ".weight",
                          .type = "BNB_INT8",
                          .recognise = recognise_int8};

}  // namespace pedigree::packings
