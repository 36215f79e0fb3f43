#include "model/quantizer_facts.h"

#include <initializer_list>

#include "model/manifest_json.h"

namespace pedigree {
namespace {

using Paths = std::initializer_list<std::string_view>;

const JsonValue* first_of(const JsonValue& object, Paths paths) {
  for (const std::string_view path : paths) {
    const JsonValue* value = json_at(object, path);
    if (value != nullptr && value->kind != JsonValue::Kind::null) return value;
  }
  return nullptr;
}

std::string text(const JsonValue& object, Paths paths) {
  const JsonValue* value = first_of(object, paths);
  return std::string(value == nullptr ? "" : value->as_string().value_or(""));
}

std::optional<std::uint64_t> count(const JsonValue& object, Paths paths) {
  const JsonValue* value = first_of(object, paths);
  return value == nullptr ? std::nullopt : value->as_u64();
}

// compressed-tensors names groups of modules; the first speaks for all.
const JsonValue* first_group(const JsonValue& object) {
  const JsonValue* groups = object.find("config_groups");
  if (groups == nullptr || groups->members.empty()) return nullptr;
  return json_at(groups->members.front().second, "weights");
}

}  // namespace

QuantizerFacts quantizer_facts(const JsonValue& config, std::string_view file) {
  const JsonValue* object =
      first_of(config, {"quantization_config", "compression_config", "quantization"});
  if (object == nullptr || object->kind != JsonValue::Kind::object) object = &config;
  QuantizerFacts facts;
  facts.method = text(*object, {"quant_method", "quant_algo", "producer.name"});
  facts.format = text(*object, {"checkpoint_format", "format", "version", "mode"});
  facts.bits = count(*object, {"bits", "w_bit", "num_bits", "weight_bits"});
  facts.group = count(*object, {"group_size", "q_group_size"});
  if (const JsonValue* weights = first_group(*object)) {
    if (!facts.bits) facts.bits = count(*weights, {"num_bits"});
    if (!facts.group) facts.group = count(*weights, {"group_size"});
  }
  const JsonValue* block = first_of(*object, {"weight_block_size"});
  if (block != nullptr && block->items.size() == 2) {
    facts.block_rows = block->items[0].as_u64();
    facts.block_cols = block->items[1].as_u64();
  }
  const bool declares = object != &config || facts.bits || facts.group || !facts.method.empty();
  if (declares) facts.file = file;
  return facts;
}

}  // namespace pedigree
